//! Stories with faults: anything may die, be cut off, be slow or change its mind, and all comes right afterwards.

use std::time::Duration;

use jiff::SignedDuration;
use rand::Rng;
use rand::seq::IndexedRandom as _;

use crate::cluster::Node;
use crate::faults::{Faults, Sabotage};
use crate::liveness;
use crate::machine::Troubles;
use crate::stage::{Broken, Stage};
use crate::story;
use crate::user;

/// How many things happen before the cluster is left alone.
const HAPPENINGS: u32 = 25;
/// I35: how long the cluster may take to come right, longer than any wait that its jobs ask for.
const HEALING: Duration = Duration::from_secs(240);
/// The farthest that a clock jumps.
const JUMP_MS: i64 = 20_000;

/// What may happen, to people, a server, a node or all.
#[derive(Clone, Copy, Debug)]
enum Twist {
    Whim,
    ServerCrashes,
    ServerStarts,
    ServerIsSoonCut,
    ServerIsMended,
    ServerPauses,
    ServerGoesOn,
    AllPause,
    StoreStalls,
    StoreGoesOn,
    AgentCrashes,
    AgentStarts,
    AgentForgets,
    NodeSwitchedOff,
    NodeSwitchedOn,
    NodeIsCut,
    NodeIsMended,
    NodeIsNotHeard,
    NodeIsHeard,
    TaskCrashes,
    ClocksJump,
    WatchesBreak,
    HistoryIsForgotten,
}

/// How often each happens, beside the others.
const TWISTS: [(Twist, u32); 23] = [
    (Twist::Whim, 16),
    (Twist::ServerCrashes, 2),
    (Twist::ServerStarts, 2),
    (Twist::ServerIsSoonCut, 1),
    (Twist::ServerIsMended, 1),
    (Twist::ServerPauses, 2),
    (Twist::ServerGoesOn, 2),
    (Twist::AllPause, 1),
    (Twist::StoreStalls, 1),
    (Twist::StoreGoesOn, 2),
    (Twist::AgentCrashes, 2),
    (Twist::AgentStarts, 2),
    (Twist::AgentForgets, 2),
    (Twist::NodeSwitchedOff, 1),
    (Twist::NodeSwitchedOn, 1),
    (Twist::NodeIsCut, 2),
    (Twist::NodeIsMended, 2),
    (Twist::NodeIsNotHeard, 1),
    (Twist::NodeIsHeard, 1),
    (Twist::TaskCrashes, 2),
    (Twist::ClocksJump, 2),
    (Twist::WatchesBreak, 1),
    (Twist::HistoryIsForgotten, 1),
];

/// The story of one seed.
pub(crate) fn tell(seed: u64, sabotage: Sabotage) -> Result<u64, String> {
    story::told(|| Stage::new(seed, (2, 3), sabotage), live)
}

async fn live(stage: &mut Stage) -> Result<(), Broken> {
    stage.pass(Duration::from_secs(5)).await?;
    for (name, count) in [("web", 3), ("shop", 2)] {
        stage.ask(user::Wish::submit(&user::job(name, "service", count, 0)));
    }
    stage.pass(Duration::from_secs(5)).await?;
    trouble(stage);
    for _ in 0..HAPPENINGS {
        happen(stage).await;
        let pause_ms = stage.rng.random_range(0..8_000);
        stage.pass(Duration::from_millis(pause_ms)).await?;
    }
    heal(stage);
    // What is still on its way arrives.
    stage.pass(Duration::from_secs(20)).await?;
    open_all(stage).await?;
    stage.converge(HEALING).await?;
    stage.be_silent().await
}

/// The store and the machines begin to misbehave.
fn trouble(stage: &mut Stage) {
    if stage.rng.random_ratio(3, 4) {
        let is_sabotaged = stage.world.is_sabotaged();
        // A claim that is lost on its way may come too late.
        stage.alive.is_strict = false;
        let faults = if is_sabotaged { Faults::many() } else { Faults::some(&mut stage.rng) };
        stage.trace.say(format!("{faults:?}"));
        stage.world.set(faults);
    }
    let start_hangs = if stage.rng.random_ratio(1, 3) { 50 } else { 0 };
    for node in &stage.nodes {
        node.machine.set(Troubles { start_fails: 100, start_hangs, slow_ms: 2_000 });
    }
}

/// All faults end; a machine that is off may stay so.
fn heal(stage: &mut Stage) {
    stage.trace.say("the faults end");
    stage.world.set(Faults::default());
    stage.world.stall.end();
    for server in &mut stage.servers {
        server.handle.mend();
        server.start();
        server.resume();
    }
    for at in 0..stage.nodes.len() {
        let stays_off = at > 0 && stage.rng.random_ratio(1, 4);
        let node = &mut stage.nodes[at];
        node.mend();
        node.resume();
        node.machine.set(Troubles::default());
        if node.is_on() || !stays_off {
            node.switch_on();
        }
    }
}

/// People want every node to take work, and ask until somebody hears.
async fn open_all(stage: &mut Stage) -> Result<(), Broken> {
    for node in 1..=stage.nodes.len() {
        stage.ask(user::Wish::open(node, true));
    }
    stage.pass(Duration::from_secs(20)).await
}

/// One thing happens to somebody.
async fn happen(stage: &mut Stage) {
    let (twist, _) = *TWISTS.choose_weighted(&mut stage.rng, |(_, weight)| *weight).unwrap();
    let at = stage.rng.random_range(0..stage.servers.len());
    let node_at = stage.rng.random_range(0..stage.nodes.len());
    let (server, node) = (&mut stage.servers[at], &mut stage.nodes[node_at]);
    stage.trace.say(format!("{twist:?} ({}, {})", server.name, node.name));
    match twist {
        Twist::Whim => {
            let wishes = user::whim(&mut stage.rng, stage.nodes.len());
            wishes.into_iter().for_each(|wish| stage.ask(wish));
        }
        Twist::ServerCrashes => server.crash(),
        Twist::ServerStarts => server.start(),
        Twist::ServerIsSoonCut => server.handle.cut_after(stage.rng.random_range(1..=4)),
        Twist::ServerIsMended => server.handle.mend(),
        Twist::ServerPauses => server.pause(),
        Twist::ServerGoesOn => server.resume(),
        Twist::AllPause => {
            let seconds = stage.rng.random_range(1..=20);
            liveness::all_pause(stage, Duration::from_secs(seconds)).await.ok();
        }
        Twist::StoreStalls => stage.world.stall.begin(),
        Twist::StoreGoesOn => stage.world.stall.end(),
        Twist::AgentCrashes => node.crash_agent(),
        Twist::AgentStarts => node.start(),
        Twist::AgentForgets => {
            node.forget();
            node.start();
        }
        Twist::NodeSwitchedOff if node.is_on() => node.switch_off(),
        Twist::NodeSwitchedOn if !node.is_on() => node.switch_on(),
        Twist::NodeSwitchedOff | Twist::NodeSwitchedOn => {}
        Twist::NodeIsCut => node.cut(),
        Twist::NodeIsMended => node.mend(),
        Twist::NodeIsNotHeard => node.line.cut(),
        Twist::NodeIsHeard => node.line.mend(),
        Twist::TaskCrashes => node.machine.crash_one(),
        Twist::ClocksJump => {
            let by = SignedDuration::from_millis(stage.rng.random_range(-JUMP_MS..=JUMP_MS));
            stage.trace.say(format!("by {by}"));
            server.clock.jump(by);
            node.clock.jump(by);
        }
        Twist::WatchesBreak => stage.world.truth().break_watches(),
        Twist::HistoryIsForgotten => {
            if stage.pass(Duration::ZERO).await.is_ok() {
                stage.compact();
            }
            stage.world.truth().break_watches();
        }
    }
}

/// Whoever remembers nothing must not take an old state of the store for what is wished now.
#[test]
fn an_agent_that_forgot_stops_nothing_while_the_store_answers_as_of_old() {
    let told = story::told(
        || Stage::new(1, (1, 1), Sabotage::None),
        async |stage| {
            stage.pass(Duration::from_secs(10)).await?;
            stage.ask(user::Wish::submit(&user::job("web", "service", 3, 0)));
            stage.pass(Duration::from_secs(1)).await?;
            stage.converge(HEALING).await?;
            // The placements were listed last when there were none; news of them are slower than the runtime's answer.
            stage.world.set(Faults { stale: 1_000, slow_ms: 300, ..Faults::default() });
            stage.nodes[0].forget();
            stage.nodes[0].start();
            stage.pass(Duration::from_secs(30)).await?;
            stage.world.set(Faults::default());
            stage.converge(HEALING).await?;
            stage.be_silent().await
        },
    );
    assert!(told.is_ok(), "{}", told.unwrap_err());
}

/// Another machine takes a name while the one before may still run its tasks: nothing is begun a second time.
#[test]
fn a_machine_that_takes_a_name_begins_nothing_that_the_one_before_had() {
    for seed in 1..=8 {
        let told = story::told(
            || Stage::new(seed, (2, 3), Sabotage::None),
            async |stage| {
                stage.pass(Duration::from_secs(10)).await?;
                stage.ask(user::Wish::submit(&user::job("web", "service", 3, 0)));
                stage.pass(Duration::from_secs(1)).await?;
                stage.converge(HEALING).await?;
                let before = stage.nodes[0].machine.alive();
                // While all are silent nobody is given up, so the store still wants there what the first one had.
                stage.nodes.iter_mut().for_each(Node::switch_off);
                stage.pass(Duration::from_secs(20)).await?;
                stage.nodes[0].recreate();
                stage.pass(Duration::from_secs(20)).await?;
                let after = stage.nodes[0].machine.alive();
                let again = before.iter().filter(|task| after.contains(task)).count();
                assert_eq!(again, 0, "seed {seed}: {}", stage.trace.tail(40));
                stage.nodes.iter_mut().for_each(Node::switch_on);
                stage.converge(HEALING).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}

/// Two machines have one name: the second runs nothing while the first lives, and takes its place by itself.
#[test]
fn a_second_agent_of_a_name_waits_until_the_first_is_gone() {
    for seed in 1..=8 {
        let told = story::told(
            || Stage::new(seed, (2, 3), Sabotage::None),
            async |stage| {
                stage.pass(Duration::from_secs(10)).await?;
                stage.ask(user::Wish::submit(&user::job("web", "service", 6, 0)));
                stage.pass(Duration::from_secs(1)).await?;
                stage.converge(HEALING).await?;
                let before = stage.nodes[0].machine.alive();
                let mut twin = stage.nodes[0].twin(stage.world.handle(seed), 1_000 + seed);
                twin.start();
                stage.pass(Duration::from_secs(30)).await?;
                stage.nodes[0].crash_agent();
                stage.nodes[0].start();
                stage.pass(Duration::from_secs(30)).await?;
                assert_eq!(stage.nodes[0].machine.alive(), before, "seed {seed}: {}", stage.trace.tail(40));
                assert!(twin.machine.alive().is_empty(), "seed {seed}: {}", stage.trace.tail(40));
                std::mem::swap(&mut stage.nodes[0], &mut twin);
                twin.switch_off();
                stage.converge(HEALING).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}

/// A machine whose name another has by now looks after nothing any more, not even what crashes on it.
#[test]
fn an_agent_that_lost_its_name_leaves_everything_as_it_is() {
    for seed in 1..=8 {
        let told = story::told(
            || Stage::new(seed, (2, 3), Sabotage::None),
            async |stage| {
                stage.pass(Duration::from_secs(10)).await?;
                stage.ask(user::Wish::submit(&user::job("web", "service", 6, 0)));
                stage.pass(Duration::from_secs(1)).await?;
                stage.converge(HEALING).await?;
                stage.nodes[0].cut();
                stage.pass(Duration::from_secs(30)).await?;
                let mut lost = stage.nodes[0].twin(stage.world.handle(seed), 1_000 + seed);
                std::mem::swap(&mut stage.nodes[0], &mut lost);
                stage.nodes[0].start();
                stage.pass(Duration::from_secs(30)).await?;
                lost.mend();
                stage.pass(Duration::from_secs(10)).await?;
                let alive = lost.machine.alive();
                assert!(!alive.is_empty(), "seed {seed}: {}", stage.trace.tail(40));
                lost.machine.crash_one();
                stage.pass(Duration::from_secs(30)).await?;
                assert_eq!(
                    lost.machine.alive().len() + 1,
                    alive.len(),
                    "seed {seed}: {}",
                    stage.trace.tail(40)
                );
                lost.switch_off();
                stage.converge(HEALING).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}
