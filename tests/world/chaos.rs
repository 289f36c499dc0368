//! Stories with faults: anything may die, be cut off, be slow or change its mind, and all comes right afterwards.

use std::time::Duration;

use encamp::store::Memory;
use jiff::SignedDuration;
use rand::Rng;

use crate::cluster::Node;
use crate::faults::{Faults, Sabotage};
use crate::machine::Troubles;
use crate::stage::{Broken, Stage};
use crate::story;
use crate::trace::Trace;
use crate::user;

/// How many things happen before the cluster is left alone.
const HAPPENINGS: u32 = 25;
/// I35: how long the cluster may take to come right, longer than any wait that its jobs ask for.
const HEALING: Duration = Duration::from_secs(240);
/// The farthest that a clock jumps.
const JUMP_MS: i64 = 20_000;

/// The story of one seed.
pub(crate) fn tell(seed: u64, sabotage: Sabotage) -> Result<u64, String> {
    story::told(|| async {
        let mut stage = Stage::new(seed, (2, 3), sabotage);
        let outcome = live(&mut stage).await;
        (stage, outcome)
    })
}

async fn live(stage: &mut Stage) -> Result<(), Broken> {
    stage.pass(Duration::from_secs(5)).await?;
    stage.ask(user::Wish::submit(&user::job("web", "service", 3, 0)));
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
        let faults = Faults::some(&mut stage.rng, stage.world.is_sabotaged());
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
    for server in &mut stage.servers {
        server.handle.cut(false);
        server.start();
    }
    for at in 0..stage.nodes.len() {
        let stays_off = at > 0 && stage.rng.random_ratio(1, 4);
        let node = &mut stage.nodes[at];
        node.cut(false);
        node.machine.set(Troubles::default());
        if node.is_on() || !stays_off {
            node.switch(true);
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

/// One thing happens.
async fn happen(stage: &mut Stage) {
    let server = stage.rng.random_range(0..stage.servers.len());
    let node = stage.rng.random_range(0..stage.nodes.len());
    let is_bad = stage.rng.random_ratio(1, 2);
    match stage.rng.random_range(0..21) {
        0..=7 => {
            let wishes = user::whim(&mut stage.rng, stage.nodes.len());
            wishes.into_iter().for_each(|wish| stage.ask(wish));
        }
        8 | 9 => {
            let server = &mut stage.servers[server];
            stage.trace.say(format!("{} {}", server.name, if is_bad { "crashes" } else { "starts" }));
            if is_bad { server.crash() } else { server.start() }
        }
        10 => {
            let commits = stage.rng.random_range(1..=4);
            let server = &stage.servers[server];
            stage.trace.say(format!("{} is cut off: {is_bad}, after {commits} commits", server.name));
            if is_bad { server.handle.cut_after(commits) } else { server.handle.cut(false) }
        }
        18 => {
            let by_ms = stage.rng.random_range(-JUMP_MS..=JUMP_MS);
            stage.trace.say(format!("clocks of s{} and n{} jump by {by_ms} ms", server + 1, node + 1));
            stage.servers[server].clock.jump(SignedDuration::from_millis(by_ms));
            stage.nodes[node].clock.jump(SignedDuration::from_millis(by_ms));
        }
        19 => {
            stage.trace.say(format!("watches break; history is forgotten: {is_bad}"));
            let truth: Memory = stage.world.truth();
            if is_bad && stage.pass(Duration::ZERO).await.is_ok() {
                stage.compact();
            }
            truth.break_watches();
        }
        20 => {
            let node = &mut stage.nodes[node];
            stage.trace.say(format!("the agent of {} dies and loses its memory", node.name));
            node.forget();
            node.start();
        }
        what => happen_to(&mut stage.nodes[node], &mut stage.trace, what, is_bad),
    }
}

/// One thing happens to a node.
fn happen_to(node: &mut Node, trace: &mut Trace, what: u32, is_bad: bool) {
    match what {
        11 | 12 => {
            trace.say(format!("the agent of {} {}", node.name, if is_bad { "crashes" } else { "starts" }));
            if is_bad { node.crash_agent() } else { node.start() }
        }
        13 => {
            trace.say(format!("{} is switched on: {}", node.name, !is_bad));
            if node.is_on() == is_bad {
                node.switch(!is_bad);
            }
        }
        14 | 15 => {
            trace.say(format!("{} is cut off: {is_bad}", node.name));
            node.cut(is_bad);
        }
        16 => {
            trace.say(format!("{} is not heard: {is_bad}", node.name));
            node.line.cut(is_bad);
        }
        _ => {
            trace.say(format!("a task of {} crashes", node.name));
            node.machine.crash_one();
        }
    }
}
