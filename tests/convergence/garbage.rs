//! Garbage under every kind of key while a job rolls: nobody is stopped by it, everybody else gets there, and once its
//! owner wrote the document again all is as if nothing had been.

use std::collections::BTreeMap;

use plan::{View, Write};
use proptest::prelude::*;
use schemas::codec::{Document, encode};
use schemas::deployment::DeploymentStatus;
use schemas::key::Key;
use schemas::placement::Wish;

use super::world::World;

/// What the cluster runs besides the job that rolls.
const OTHERS: [&str; 3] = [
    "job api v1 count=3 memory=20 image=1 max_parallel=1",
    "job sum v1 count=2 memory=20 image=1 type=batch",
    "job log v1 memory=7 image=1 type=system",
];
const NODES: [&str; 3] = ["n0", "n1", "n2"];

fn web(version: u32) -> String {
    format!("job web v{version} count=4 memory=60 image={version} max_parallel=1 ports=http")
}

/// A cluster in which `web` is rolled from its first version to its second, so many turns ago.
fn rolling(turns: usize) -> World {
    let mut world = World::new((0..64).collect());
    for node in NODES {
        world.say(&format!("node {node} cpu=4000 memory=2000 dynamic=20000-20009"));
        world.say(&format!("link {node} s1"));
    }
    world.say("beat s1 1");
    for job in OTHERS {
        world.say(job);
    }
    world.say(&web(1));
    world.settle();
    world.say(&web(2));
    for _ in 0..turns {
        world.control();
        world.act();
    }
    world
}

/// The keys of everything that is stored.
fn keys(view: &View) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    keys.extend(view.jobs.iter().map(|(key, _)| key.clone()));
    keys.extend(view.versions.iter().map(|(key, _)| key.clone()));
    keys.extend(view.rosters.iter().map(|(key, _)| key.clone()));
    keys.extend(view.deployments.iter().map(|(key, _)| key.clone()));
    keys.extend(view.placements.iter().map(|(key, _)| key.clone()));
    keys.extend(view.reports.iter().map(|(key, _)| key.clone()));
    keys.extend(view.fingerprints.iter().map(|(key, _)| key.clone()));
    keys.extend(view.links.iter().map(|(key, _)| key.clone()));
    keys.extend(view.health.iter().map(|(key, _)| key.clone()));
    keys.extend(view.beats.iter().map(|(key, _)| key.clone()));
    let more = [
        "/nodes/n0",
        "/leaders/scheduler",
        "/epoch",
        "/details/n0/default/web.api.0-v1.0",
        "/jobs/a",
        "/moods/x",
    ];
    keys.extend(more.map(|key| Key::new(key).expect("a key")));
    keys
}

/// What the owner of a document that no controller of this world writes would write again.
fn original(view: &View, key: &Key) -> Option<Write> {
    fn put<D: Document>(key: &Key, document: Option<&D>) -> Option<Write> {
        Some(Write::Put { key: key.clone(), value: encode(document?) })
    }
    match key.kind() {
        "jobs" => put(key, view.jobs.get(key)),
        "versions" => put(key, view.versions.get(key)),
        "reports" => put(key, view.reports.get(key)),
        "fingerprints" => put(key, view.fingerprints.get(key)),
        "links" => put(key, view.links.get(key)),
        "health" => put(key, view.health.get(key)),
        "beats" => put(key, view.beats.get(key)),
        _ => None,
    }
}

/// What is to run, by name and node.
fn running(view: &View, job: &str) -> BTreeMap<String, String> {
    let wanted =
        view.placements.iter().filter(|(_, row)| row.value.wish == Wish::Run && row.value.job == job);
    wanted.map(|(key, _)| (key.segment(3).to_owned(), key.segment(1).to_owned())).collect()
}

/// Whatever was told to stop was told so by the rollout.
fn assert_only_rolled(world: &World, what: &str) {
    for (key, row) in world.view.placements.iter() {
        if let Wish::Stop { reason, .. } = &row.value.wish {
            // One that could not be read when its slot moved on is told so by whoever writes it anew.
            let is_moved_on = reason.starts_with("replaced by v2") || reason.ends_with("no slot wants it");
            let is_rolled = row.value.job == "web" && row.value.version == 1 && is_moved_on;
            // The roster says that it is complete; that its node said so cannot be read.
            let is_complete = row.value.job == "sum" && reason == "nothing is to run in its place any more";
            assert!(is_rolled || is_complete, "{what}: {key} stops: {reason}\n{}", world.log.join("\n"));
        }
    }
}

fn spoiled(turns: usize, spoils: &[Key]) {
    let what = format!("{spoils:?} after {turns} turns");
    let mut world = rolling(turns);
    let before: Vec<_> = ["api", "log"].map(|job| (job, running(&world.view, job))).into();
    let originals: Vec<Write> = spoils.iter().filter_map(|key| original(&world.view, key)).collect();
    for key in spoils {
        world.spoil(key);
    }
    world.settle();
    for (job, was) in &before {
        assert_eq!(running(&world.view, job), *was, "{what}: {job}\n{}", world.log.join("\n"));
    }
    assert_only_rolled(&world, &what);
    // A stranger's job finds room all the same.
    world.say("job new v1 count=2 memory=5 image=1");
    world.settle();
    assert_eq!(running(&world.view, "new").len(), 2, "{what}: the new job waits\n{}", world.log.join("\n"));
    for write in originals {
        if world.view.is_unreadable(write.key()) {
            world.view.suppose(&[write]);
        }
    }
    world.settle();
    for (job, was) in &before {
        assert_eq!(running(&world.view, job), *was, "{what}: {job}\n{}", world.log.join("\n"));
    }
    assert_only_rolled(&world, &what);
    assert_eq!(world.healthy("web").len(), 4, "{what}\n{}", world.log.join("\n"));
    let left: Vec<&Key> = world.view.unreadable.iter().map(|(key, _)| key).collect();
    let is_users = |key: &&Key| ["nodes", "leaders", "epoch", "details", "jobs"].contains(&key.kind());
    let left: Vec<&&Key> = left.iter().filter(|key| !is_users(key)).collect();
    assert!(left.is_empty(), "{what}: {left:?} cannot be read still\n{}", world.log.join("\n"));
    let rollout = world.view.deployments.get(&Key::deployment("default", "web", 2));
    let status = rollout.map(|rollout| rollout.status).unwrap_or_default();
    // What held the rollout up may have done so beyond its deadline.
    let late = ["fingerprints", "health", "jobs", "nodes", "reports", "versions"];
    let may_be_late = spoils.iter().any(|key| late.contains(&key.kind()));
    let is_well = status == DeploymentStatus::Successful || (may_be_late && status.is_terminal());
    assert!(is_well, "{what}: {status:?}\n{}", world.log.join("\n"));
}

#[test]
fn garbage_under_any_one_key_stops_nobody() {
    for turns in [0, 6, 13, 40] {
        for key in keys(&rolling(turns).view) {
            spoiled(turns, &[key]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_under_several_keys_stops_nobody(
        turns in 0_usize..60,
        chosen in prop::collection::vec(any::<prop::sample::Index>(), 2..5),
    ) {
        let keys = keys(&rolling(turns).view);
        let mut spoils: Vec<Key> = chosen.iter().map(|index| index.get(&keys).clone()).collect();
        spoils.sort();
        spoils.dedup();
        spoiled(turns, &spoils);
    }
}
