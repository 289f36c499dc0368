//! Stories of pauses, stalls and start orders, in which nothing that runs may be touched; and of many nodes that are
//! lost at once.

use std::collections::BTreeMap;
use std::time::Duration;

use encamp::drivers::TaskId;
use rand::Rng;
use schemas::key::Key;
use schemas::node::NodeState;
use tokio::time::Instant;

use crate::cluster::{Node, Server};
use crate::faults::Sabotage;
use crate::stage::{Broken, Stage};
use crate::story;
use crate::user::{Wish, job};

/// How many seeds tell each story: a pause falls anywhere between two beats.
const SEEDS: u64 = 6;
/// I35: how long a cluster may take to come right.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// Everything but the store stands still: servers and agents.
pub(crate) async fn all_pause(stage: &mut Stage, time: Duration) -> Result<(), Broken> {
    stage.servers.iter().for_each(Server::pause);
    stage.nodes.iter().for_each(Node::pause);
    let told = stage.pass(time).await;
    stage.servers.iter().for_each(Server::resume);
    stage.nodes.iter().for_each(Node::resume);
    told
}

async fn servers_pause(stage: &mut Stage, at: &[usize], time: Duration) -> Result<(), Broken> {
    at.iter().for_each(|at| stage.servers[*at].pause());
    stage.pass(time).await?;
    at.iter().for_each(|at| stage.servers[*at].resume());
    Ok(())
}

pub(crate) fn running(stage: &Stage) -> BTreeMap<String, Vec<TaskId>> {
    stage.nodes.iter().map(|node| (node.name.clone(), node.machine.alive())).collect()
}

/// A cluster with twelve instances of a job.
pub(crate) async fn twelve(stage: &mut Stage) -> Result<(), Broken> {
    stage.pass(Duration::from_secs(45)).await?;
    stage.ask(Wish::submit(&job("web", "service", 12, 0)));
    stage.pass(Duration::from_secs(1)).await?;
    stage.converge(SOON).await?;
    let phase_ms = stage.rng.random_range(0..2_000);
    stage.pass(Duration::from_millis(phase_ms)).await
}

/// Tells a story after which the very same twelve tasks run.
fn all_are_kept(happen: &impl AsyncFn(&mut Stage) -> Result<(), Broken>) {
    for seed in 0..SEEDS {
        let told = story::told(
            || Stage::new(seed, (2, 4), Sabotage::None),
            async |stage| {
                twelve(stage).await?;
                let before = running(stage);
                happen(stage).await?;
                stage.pass(Duration::from_secs(60)).await?;
                assert_eq!(running(stage), before, "seed {seed}\n{}", stage.trace.tail(60));
                assert_eq!(stage.alive.downs, [], "seed {seed}\n{}", stage.trace.tail(60));
                stage.converge(SOON).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_server_stands_still() {
    for (at, time) in [(0, 2_600), (1, 2_600), (0, 8_000), (0, 20_000), (1, 20_000)] {
        all_are_kept(&async |stage| servers_pause(stage, &[at], Duration::from_millis(time)).await);
    }
}

#[test]
fn servers_stand_still_one_after_the_other() {
    all_are_kept(&async |stage| {
        for _round in 0..4 {
            for at in [0, 1] {
                servers_pause(stage, &[at], Duration::from_millis(2_600)).await?;
                stage.pass(Duration::from_millis(500)).await?;
            }
        }
        Ok(())
    });
}

#[test]
fn both_servers_stand_still() {
    for time in [4, 8, 20] {
        all_are_kept(&async |stage| servers_pause(stage, &[0, 1], seconds(time)).await);
    }
}

#[test]
fn everything_stands_still() {
    for time in [3, 10, 60] {
        all_are_kept(&async |stage| all_pause(stage, seconds(time)).await);
    }
}

#[test]
fn agents_come_back_after_the_servers() {
    all_are_kept(&async |stage| {
        stage.servers.iter_mut().for_each(Server::crash);
        stage.nodes.iter_mut().for_each(Node::crash_agent);
        stage.pass(seconds(3)).await?;
        stage.servers.iter_mut().for_each(Server::start);
        stage.pass(seconds(12)).await?;
        stage.nodes.iter_mut().for_each(Node::start);
        Ok(())
    });
}

#[test]
fn one_server_of_two_comes_back_and_agents_later() {
    all_are_kept(&async |stage| {
        stage.servers.iter_mut().for_each(Server::crash);
        stage.nodes.iter_mut().for_each(Node::crash_agent);
        stage.pass(seconds(3)).await?;
        stage.servers[1].start();
        stage.pass(seconds(12)).await?;
        stage.nodes.iter_mut().for_each(Node::start);
        stage.pass(seconds(20)).await?;
        stage.servers[0].start();
        Ok(())
    });
}

#[test]
fn servers_come_back_after_the_agents() {
    all_are_kept(&async |stage| {
        stage.servers.iter_mut().for_each(Server::crash);
        stage.nodes.iter_mut().for_each(Node::crash_agent);
        stage.nodes.iter_mut().for_each(Node::start);
        stage.pass(seconds(40)).await?;
        stage.servers.iter_mut().for_each(Server::start);
        Ok(())
    });
}

#[test]
fn the_store_stands_still() {
    for time in [2, 4, 8, 30] {
        all_are_kept(&async |stage| {
            stage.world.stall.begin();
            stage.pass(seconds(time)).await?;
            stage.world.stall.end();
            Ok(())
        });
    }
}

#[test]
fn agents_restart_while_the_store_stands_still() {
    all_are_kept(&async |stage| {
        stage.world.stall.begin();
        stage.nodes.iter_mut().for_each(Node::crash_agent);
        stage.nodes.iter_mut().for_each(Node::start);
        stage.pass(seconds(10)).await?;
        stage.world.stall.end();
        Ok(())
    });
}

/// The second life of the agent ends before anybody hears of it, and a server that lives knows only the first.
#[test]
fn an_agent_crashes_twice_while_servers_stand_still() {
    for paused in [&[0][..], &[1], &[0, 1]] {
        all_are_kept(&async |stage: &mut Stage| {
            stage.nodes[0].crash_agent();
            paused.iter().for_each(|at| stage.servers[*at].pause());
            for _life in 0..2 {
                stage.nodes[0].start();
                stage.nodes[0].crash_agent();
            }
            stage.nodes[0].start();
            stage.pass(Duration::from_millis(2_600)).await?;
            paused.iter().for_each(|at| stage.servers[*at].resume());
            Ok(())
        });
    }
}

#[test]
fn an_agent_that_cannot_report_beats() {
    all_are_kept(&async |stage| {
        stage.nodes[0].crash_agent();
        stage.nodes[0].handle.cut();
        stage.nodes[0].start();
        stage.pass(seconds(20)).await?;
        stage.nodes[0].handle.mend();
        Ok(())
    });
}

#[test]
fn an_agent_whose_store_does_not_answer_beats() {
    all_are_kept(&async |stage| {
        stage.nodes[0].crash_agent();
        stage.nodes[0].handle.pause.begin();
        stage.nodes[0].start();
        stage.pass(seconds(60)).await?;
        stage.nodes[0].handle.pause.end();
        Ok(())
    });
}

#[test]
fn a_server_loses_the_store() {
    for at in [0, 1] {
        all_are_kept(&async |stage| {
            stage.servers[at].handle.cut();
            stage.pass(seconds(15)).await?;
            stage.servers[at].handle.mend();
            Ok(())
        });
    }
}

#[test]
fn a_leader_dies_after_the_store_stood_still() {
    all_are_kept(&async |stage| {
        stage.world.stall.begin();
        stage.pass(seconds(4)).await?;
        stage.world.stall.end();
        stage.servers[0].crash();
        stage.pass(seconds(20)).await?;
        stage.servers[0].start();
        Ok(())
    });
}

#[test]
fn the_machines_of_the_servers_sleep() {
    all_are_kept(&async |stage| {
        stage.pass(seconds(1)).await?;
        stage.servers.iter().for_each(|server| server.clock.sleep(seconds(600)));
        Ok(())
    });
}

/// Switches nodes off; tells after how many seconds each was called down.
fn lost(nodes: usize, lost: &[usize], within: u64) -> Vec<(String, u64)> {
    let mut told = Vec::new();
    let outcome = story::told(
        || Stage::new(7, (2, nodes), Sabotage::None),
        async |stage| {
            twelve(stage).await?;
            let begin = Instant::now();
            lost.iter().for_each(|at| stage.nodes[*at].switch_off());
            stage.pass(seconds(within)).await?;
            told =
                stage.alive.downs.iter().map(|(node, at)| (node.clone(), (*at - begin).as_secs())).collect();
            for at in lost {
                stage.nodes[*at].switch_on();
            }
            stage.converge(SOON).await?;
            stage.be_silent().await
        },
    );
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    told
}

#[test]
fn a_dead_node_is_missed_in_time() {
    let told = lost(4, &[2], 20);
    assert!(matches!(&told[..], [(node, 4..=8)] if node == "n3"), "{told:?}");
}

#[test]
fn a_lost_datacenter_is_given_up_slowly() {
    let told = lost(6, &[0, 1, 2], 60);
    let at: Vec<u64> = told.iter().map(|(_, at)| *at).collect();
    assert_eq!(at.len(), 3, "slowed, not forbidden: {told:?}");
    assert!((13..=20).contains(&at[0]), "{told:?}");
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 9), "L2: one in ten seconds: {told:?}");
}

#[test]
fn nobody_is_given_up_while_all_are_silent() {
    assert_eq!(lost(4, &[0, 1, 2, 3], 300), []);
}

#[test]
fn a_datacenter_that_comes_back_loses_little() {
    let told = story::told(
        || Stage::new(3, (2, 6), Sabotage::None),
        async |stage| {
            twelve(stage).await?;
            let before = running(stage);
            (0..3).for_each(|at| stage.nodes[at].cut());
            // Silent for a grace, and back before the first is given up.
            stage.pass(seconds(10)).await?;
            (0..3).for_each(|at| stage.nodes[at].mend());
            stage.pass(seconds(30)).await?;
            assert_eq!(running(stage), before, "{}", stage.trace.tail(60));
            let health = |node: &str| stage.checker.view().health.get(&Key::health(node)).map(|at| at.state);
            assert_eq!(health("n1"), Some(NodeState::Ready));
            stage.be_silent().await
        },
    );
    assert!(told.is_ok(), "{}", told.unwrap_err());
}
