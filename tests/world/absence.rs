//! Stories in which documents vanish that nobody wished away: what runs goes on, and comes to have its papers again.

use std::time::Duration;

use encamp::store::{Store, Txn};
use futures::FutureExt as _;
use plan::Write;
use schemas::key::{Key, Prefix};

use crate::faults::Sabotage;
use crate::liveness::{SOON, running, twelve};
use crate::stage::{Broken, Stage};
use crate::story;
use crate::user::Wish;

/// How many seeds tell each story.
const SEEDS: u64 = 4;
/// Longer than it takes an agent to compare what is stored of it.
const NOTICED: Duration = Duration::from_secs(70);

/// Somebody deletes all documents below these, in one go.
fn vandalise(stage: &mut Stage, places: &[&str]) {
    let keys: Vec<Key> = places
        .iter()
        .flat_map(|place| {
            let listing = stage.truth.list(&Prefix::under(place)).now_or_never();
            listing.expect("memory answers at once").expect("it is there").entries
        })
        .map(|entry| entry.key)
        .collect();
    assert!(!keys.is_empty(), "there is something below {places:?}");
    stage.checker.vandalised.extend(keys.iter().cloned());
    commit(stage, keys.into_iter().map(|key| Write::Delete { key }).collect());
}

/// Somebody writes over all documents below these what nobody can read. Gives what they were.
fn garble(stage: &mut Stage, places: &[&str]) -> Vec<Write> {
    let were: Vec<Write> = places
        .iter()
        .flat_map(|place| {
            let listing = stage.truth.list(&Prefix::under(place)).now_or_never();
            listing.expect("memory answers at once").expect("it is there").entries
        })
        .map(|entry| Write::Put { key: entry.key, value: entry.value })
        .collect();
    assert!(!were.is_empty(), "there is something below {places:?}");
    litter(stage, were.iter().map(|write| write.key().clone()).collect());
    were
}

/// Somebody writes to these keys what nobody can read.
fn litter(stage: &mut Stage, keys: Vec<Key>) {
    stage.checker.vandalised.extend(keys.iter().cloned());
    commit(stage, keys.into_iter().map(|key| Write::Put { key, value: "no document".into() }).collect());
}

fn commit(stage: &Stage, writes: Vec<Write>) {
    let done = stage.truth.commit(Txn { guards: vec![], writes }).now_or_never();
    done.expect("memory answers at once").expect("nothing is in the way");
}

/// Nothing of twelve tasks is stopped, ended or begun while this happens.
fn nothing_is_touched(happen: &impl AsyncFn(&mut Stage) -> Result<(), Broken>) {
    for seed in 0..SEEDS {
        let told = story::told(
            || Stage::new(seed, (2, 4), Sabotage::None),
            async |stage: &mut Stage| {
                twelve(stage).await?;
                let (before, said) = (running(stage), stage.trace.lines.len());
                happen(stage).await?;
                stage.pass(NOTICED).await?;
                assert_eq!(running(stage), before, "seed {seed}\n{}", stage.trace.tail(60));
                let touched = stage.trace.lines[said..]
                    .iter()
                    .find(|line| ["Stopped(", "Ended(", "Began("].iter().any(|word| line.contains(word)));
                assert_eq!(touched, None, "seed {seed}\n{}", stage.trace.tail(60));
                stage.converge(SOON).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}

#[test]
fn documents_of_one_kind_vanish() {
    for place in [
        "/placements/n1/",
        "/placements/",
        "/fingerprints/",
        "/reports/",
        "/rosters/",
        "/deployments/",
        "/links/",
        "/health/",
        "/details/",
        "/beats/",
        "/leaders/",
    ] {
        nothing_is_touched(&async |stage: &mut Stage| {
            vandalise(stage, &[place]);
            Ok(())
        });
    }
}

#[test]
fn several_kinds_vanish_at_once() {
    for places in [
        ["/placements/", "/fingerprints/"],
        ["/placements/", "/reports/"],
        ["/fingerprints/", "/health/"],
        ["/rosters/", "/deployments/"],
    ] {
        nothing_is_touched(&async |stage: &mut Stage| {
            vandalise(stage, &places);
            Ok(())
        });
    }
}

/// Whoever leads next has seen it too.
#[test]
fn the_server_that_leads_dies_with_what_vanishes() {
    nothing_is_touched(&async |stage: &mut Stage| {
        vandalise(stage, &["/placements/", "/reports/"]);
        for at in 0..2 {
            stage.servers[at].crash();
            stage.pass(Duration::from_secs(20)).await?;
            stage.servers[at].start();
            stage.pass(Duration::from_secs(5)).await?;
        }
        Ok(())
    });
}

#[test]
fn they_vanish_again_and_again() {
    nothing_is_touched(&async |stage: &mut Stage| {
        for place in [
            "/placements/n1/",
            "/fingerprints/n1",
            "/reports/n1/",
            "/placements/n1/",
            "/reports/",
            "/placements/",
        ] {
            vandalise(stage, &[place]);
            stage.pass(Duration::from_secs(3)).await?;
        }
        Ok(())
    });
}

#[test]
fn they_vanish_while_the_agents_are_away() {
    nothing_is_touched(&async |stage: &mut Stage| {
        stage.nodes.iter_mut().for_each(crate::cluster::Node::crash_agent);
        stage.pass(Duration::from_secs(1)).await?;
        vandalise(stage, &["/placements/", "/fingerprints/"]);
        stage.pass(Duration::from_secs(1)).await?;
        stage.nodes.iter_mut().for_each(crate::cluster::Node::start);
        Ok(())
    });
}

/// As long as neither job nor version can be read, nobody writes the placements anew.
#[test]
fn documents_that_cannot_be_read_stop_nothing() {
    nothing_is_touched(&async |stage: &mut Stage| {
        let were = garble(stage, &["/placements/n1/", "/versions/", "/jobs/"]);
        stage.pass(NOTICED).await?;
        stage.nodes[0].crash_agent();
        stage.nodes[0].start();
        for _ in 0..NOTICED.as_secs() {
            stage.pass(Duration::from_secs(1)).await?;
            let reports = stage.checker.view().reports.iter().flat_map(|(_, row)| &row.value.allocations);
            let orphans: Vec<&String> =
                reports.filter(|(_, report)| report.orphan.is_some()).map(|(name, _)| name).collect();
            assert!(orphans.is_empty(), "{orphans:?} are not missing\n{}", stage.trace.tail(60));
        }
        commit(stage, were);
        Ok(())
    });
}

#[test]
fn what_cannot_be_read_is_in_nobody_elses_way() {
    for seed in 0..SEEDS {
        let told = story::told(
            || Stage::new(seed, (2, 4), Sabotage::None),
            async |stage: &mut Stage| {
                twelve(stage).await?;
                // Nobody can tell what these were meant to be, so they stay.
                let keys = ["/placements/n1/default/aaa", "/jobs/default/aaa", "/rosters/default/aaa/g"];
                litter(stage, keys.iter().map(|key| Key::new(*key).unwrap()).collect());
                stage.nodes[0].crash_agent();
                stage.ask(Wish::scale("web", 24));
                stage.pass(Duration::from_secs(2)).await?;
                stage.nodes[0].start();
                stage.converge(SOON).await?;
                stage.be_silent().await
            },
        );
        assert!(told.is_ok(), "seed {seed}: {}", told.unwrap_err());
    }
}
