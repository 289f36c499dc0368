//! Deployment and scheduler together, with agents that obey: whatever happens and whoever is killed in the
//! middle of a plan, every state is safe, and when the trouble ends the cluster reaches what was asked for
//! and goes silent.

mod convergence {
    pub(crate) mod garbage;
    pub(crate) mod safety;
    pub(crate) mod world;
}

use std::collections::BTreeMap;

use convergence::safety;
use convergence::world::{Did, World, is_healthy};
use encamp::forecast::forecast;
use plan::view::JobRef;
use plan::{View, Write};
use proptest::prelude::*;
use schemas::deployment::DeploymentStatus;
use schemas::key::Key;
use schemas::placement::Wish;

/// What happens to the cluster.
#[derive(Clone, Debug)]
enum Event {
    /// A new version of a job: how many, which image, on nodes of which zone.
    Apply { job: usize, count: u32, image: &'static str, zone: &'static str },
    /// A node goes silent.
    Down(usize),
    /// The machine is taken away; what its agent reported stays.
    Gone(usize),
    /// A node is heard.
    Up(usize),
    /// A running instance dies.
    Kill,
    /// Time passes.
    Wait(i64),
}

const JOBS: [(&str, &str); 4] = [
    ("web", "memory=60 max_parallel=1 auto_revert progress=120 ports=http"),
    ("api", "memory=60 max_parallel=2 reschedule=constant:5:3:600"),
    ("sum", "memory=60 type=batch"),
    // What the others leave free on a full node is enough for two of these.
    ("log", "memory=7 type=system"),
];
const NODES: usize = 3;

fn event() -> impl Strategy<Value = Event> {
    let image = prop::sample::select(vec!["1", "2", "3", "bad", "sick"]);
    let zone = prop::sample::select(vec!["", "", "a", "b"]);
    prop_oneof![
        4 => (0..JOBS.len(), 0_u32..5, image, zone)
            .prop_map(|(job, count, image, zone)| Event::Apply { job, count, image, zone }),
        1 => (0..NODES).prop_map(Event::Gone),
        1 => (0..NODES).prop_map(Event::Down),
        2 => (0..NODES).prop_map(Event::Up),
        1 => Just(Event::Kill),
        1 => (1_i64..200).prop_map(Event::Wait),
    ]
}

fn apply_job(world: &mut World, job: usize, count: u32, image: &str, zone: &str) {
    let (name, rest) = JOBS[job];
    let version = world.view.jobs.get(&Key::job("default", name)).map_or(0, |job| job.version) + 1;
    // A change of the constraint alone is one in place, unless the node does not meet it.
    let rule = only_in(zone);
    world.say(&format!("job {name} v{version} count={count} image={image} {rest} {rule}"));
}

/// The words for a job that may only be in one zone, or anywhere.
fn only_in(zone: &str) -> String {
    if zone.is_empty() { String::new() } else { format!("constraint=\"${{meta.zone}} = {zone}\"") }
}

fn join(world: &mut World, node: usize) {
    let zone = ["a", "b", "b"][node];
    world.say(&format!("node n{node} cpu=2000 memory=375 dynamic=20000-20009 meta.zone={zone}"));
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Apply { job, count, image, zone } => apply_job(world, *job, *count, image, zone),
        Event::Gone(node) => {
            world.say(&format!("delete /health/n{node}"));
            world.say(&format!("delete /fingerprints/n{node}"));
        }
        Event::Down(node) => {
            if world.view.fingerprints.get(&Key::fingerprint(&format!("n{node}"))).is_some() {
                world.say(&format!("health n{node} down"));
            }
        }
        Event::Up(node) => join(world, *node),
        Event::Kill => world.kill(),
        Event::Wait(seconds) => world.seconds += seconds,
    }
}

fn cluster(choices: Vec<u8>) -> World {
    let mut world = World::new(choices);
    for node in 0..NODES {
        join(&mut world, node);
    }
    world
}

/// After the trouble every job is what its last version says, and nothing else is left.
fn assert_reached(world: &World, counts: [u32; 4]) {
    let log = || world.log.join("\n");
    for (number, (name, _)) in JOBS.iter().enumerate() {
        let healthy = world.healthy(name);
        let expected = match number {
            3 if counts[number] > 0 => NODES,
            2 | 3 => 0,
            _ => counts[number] as usize,
        };
        assert_eq!(healthy.len(), expected, "{name}: {healthy:?}\n{}", log());
    }
    let alive = world.view.placements.iter().filter(|(key, row)| {
        let is_over = world.view.indexes.report(key).is_some_and(|report| report.state.is_terminal());
        row.value.wish != Wish::Run && !is_over
    });
    assert_eq!(alive.count(), 0, "something told to stop goes on\n{}", log());
}

/// A quarter of the usual number: each case is a whole history.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_the_cluster_is_safe_and_gets_there(
        events in prop::collection::vec((event(), 0_usize..12), 1..14),
        choices in prop::collection::vec(any::<u8>(), 16..64),
        counts in prop::array::uniform4(0_u32..5),
        last in prop::sample::select(vec!["1", "2"]),
    ) {
        let mut world = cluster(choices);
        for (event, turns) in &events {
            happen(&mut world, event);
            for _ in 0..*turns {
                if world.choices.pick(2) == 0 {
                    world.act();
                } else {
                    world.control();
                }
            }
        }
        for node in 0..NODES {
            join(&mut world, node);
        }
        for (job, count) in counts.into_iter().enumerate() {
            apply_job(&mut world, job, count, last, "");
        }
        world.settle();
        assert_reached(&world, counts);
    }

    #[test]
    fn a_deleted_job_goes_whatever_it_was_doing(
        events in prop::collection::vec((event(), 0_usize..12), 1..8),
        choices in prop::collection::vec(any::<u8>(), 16..64),
    ) {
        let mut world = cluster(choices);
        for (event, turns) in &events {
            happen(&mut world, event);
            for _ in 0..*turns {
                world.act();
                world.control();
            }
        }
        for node in 0..NODES {
            join(&mut world, node);
        }
        for (name, rest) in JOBS {
            let known = world.view.jobs.get(&Key::job("default", name)).map(|job| job.version);
            if let Some(version) = known {
                world.say(&format!("job {name} v{version} count=1 image=1 deleted {rest}"));
            }
        }
        world.settle();
        let left = (world.view.jobs.len(), world.view.placements.len(), world.view.rosters.len());
        prop_assert_eq!(left, (0, 0, 0), "{}", world.log.join("\n"));
        prop_assert!(world.view.deployments.is_empty() && world.view.versions.is_empty());
    }

    /// Nothing fails: while one version replaces the other, enough go on serving at every moment, and not
    /// too many are unproved, whether or not the old version serves.
    #[test]
    fn a_rollout_without_trouble_keeps_serving(
        parallel in 1_u32..4,
        first in prop::sample::select(vec!["1", "sick"]),
        choices in prop::collection::vec(any::<u8>(), 16..64),
    ) {
        let mut world = cluster(choices);
        let job = |version: u32, image: &str| {
            format!("job web v{version} count=6 image={image} memory=60 max_parallel={parallel}")
        };
        world.say(&job(1, first));
        world.settle();
        let floor = world.healthy("web").len().saturating_sub(parallel as usize);
        prop_assert_eq!(floor > 0, first == "1");
        world.say(&job(2, "2"));
        for _ in 0..2_000 {
            let did = (world.act(), world.control());
            let (serving, unproved) = (world.healthy("web").len(), unproved(&world.view, 2));
            prop_assert!(serving >= floor, "{} serve, {} must\n{}", serving, floor, world.log.join("\n"));
            prop_assert!(unproved <= parallel as usize, "{} are unproved\n{}", unproved, world.log.join("\n"));
            let is_over = world.view.deployments.iter().all(|(_, row)| row.value.status.is_terminal());
            if did == (Did::Nothing, Did::Nothing) && is_over {
                break;
            }
        }
        world.settle();
        prop_assert_eq!(world.healthy("web").len(), 6);
        let mut slots = world.view.rosters.iter().flat_map(|(_, row)| &row.value.slots);
        prop_assert!(slots.all(|run| run.slot.spec == 2), "{}", world.log.join("\n"));
    }
}

/// A system job that may only be on some nodes leaves the others, replaces the rest one by one without
/// waiting for those, and comes back to all of them when it may.
#[test]
fn a_system_job_comes_back_to_nodes_that_fit_again() {
    let mut world = cluster((0..64).collect());
    let job = |version: u32, image: u32, zone: &str| {
        format!("job log v{version} type=system image={image} memory=7 max_parallel=1{zone}")
    };
    let in_b = r#" constraint="${meta.zone} = b""#;
    for (version, image, zone, nodes) in
        [(1, 1, "", 3), (2, 1, in_b, 2), (3, 1, "", 3), (4, 2, in_b, 2), (5, 2, "", 3), (6, 3, in_b, 2)]
    {
        world.say(&job(version, image, zone));
        world.settle();
        assert_eq!(world.healthy("log").len(), nodes, "v{version}\n{}", world.log.join("\n"));
        let rollout = world.view.deployments.get(&Key::deployment("default", "log", u64::from(version)));
        let status = rollout.map(|rollout| rollout.status);
        assert_eq!(status, Some(DeploymentStatus::Successful), "v{version}\n{}", world.log.join("\n"));
    }
    // A node whose facts change fits again without any change of the job.
    world.say("node n0 cpu=2000 memory=375 dynamic=20000-20009 meta.zone=b");
    world.settle();
    assert_eq!(world.healthy("log").len(), 3, "{}", world.log.join("\n"));
}

/// A version that fits nowhere takes nothing away: the old instances serve, and the rollout waits without a
/// deadline, since nothing of it has begun.
#[test]
fn nothing_stops_for_an_instance_that_fits_nowhere() {
    let mut world = cluster((0..64).collect());
    let job = |version: u32, memory: u32| {
        format!("job web v{version} count=6 memory={memory} max_parallel=2 progress=60")
    };
    world.say(&job(1, 60));
    world.settle();
    world.say(&job(2, 9_000));
    world.settle();
    world.seconds += 10_000;
    world.settle();
    assert_eq!(world.healthy("web").len(), 6, "{}", world.log.join("\n"));
    let rollout = world.view.deployments.get(&Key::deployment("default", "web", 2)).unwrap();
    assert_eq!((rollout.status, rollout.groups["api"].placed), (DeploymentStatus::Running, 0));
    // Room for it lets it go on.
    world.say("node n7 cpu=9000 memory=99999 dynamic=20000-20009 meta.zone=b");
    world.settle();
    assert_eq!(world.healthy("web").len(), 6, "{}", world.log.join("\n"));
    let rollout = world.view.deployments.get(&Key::deployment("default", "web", 2)).unwrap();
    assert_eq!(rollout.status, DeploymentStatus::Successful, "{}", world.log.join("\n"));
}

proptest! {
    #![proptest_config(config())]

    /// What a plan foresees is what then happens, as long as what starts becomes healthy.
    #[test]
    fn what_is_foreseen_happens(
        choices in prop::collection::vec(any::<u8>(), 16..64),
        first in version(),
        second in version(),
        is_system: bool,
    ) {
        let mut world = cluster(choices);
        let kind = if is_system { "type=system" } else { "" };
        world.say(&format!("job web v1 {kind} {first}"));
        world.settle();
        let before = standing(&world.view);
        let line = format!("job web v2 {kind} {second}");
        let mut written = world.view.clone();
        plan::fixture::write(&mut written, &line);
        let (job, version) = (Key::job("default", "web"), Key::version("default", "web", 2));
        let writes = [
            Write::put(job.clone(), written.jobs.get(&job).unwrap()),
            Write::put(version.clone(), written.versions.get(&version).unwrap()),
        ];
        let reference = JobRef { namespace: "default".to_owned(), job: "web".to_owned() };
        let foreseen = forecast(world.view.clone(), &reference, &writes, world.now());
        world.say(&line);
        world.settle();
        let after = standing(&world.view);
        let kept: Vec<_> = before.iter().filter_map(|(place, was)| Some((was, after.get(place)?))).collect();
        let names = |same: bool| kept.iter().filter(move |(was, is)| (was.0 == is.0) == same);
        let waiting = world.view.open.pending().map(|(_, places)| places.len()).sum::<usize>();
        let outcome = &foreseen["api"];
        let log = || format!("{outcome:?}\n{before:?}\n{after:?}\n{}", world.log.join("\n"));
        prop_assert_eq!(outcome.in_place as usize, names(true).filter(|(was, is)| was.1 != is.1).count(), "{}", log());
        if outcome.unplaced == 0 {
            prop_assert_eq!(outcome.create as usize, after.len() - kept.len(), "{}", log());
            prop_assert_eq!(outcome.destructive as usize, names(false).count(), "{}", log());
            prop_assert_eq!(outcome.stop as usize, before.len() - kept.len(), "{}", log());
            prop_assert_eq!(outcome.ignore as usize, names(true).filter(|(was, is)| was.1 == is.1).count(), "{}", log());
        }
        if !is_system {
            prop_assert_eq!(outcome.unplaced as usize, waiting, "{}", log());
        }
    }
}

/// One version of a job, in the words of the fixture.
fn version() -> impl Strategy<Value = String> {
    let zone = prop::sample::select(vec!["", "a", "b"]);
    (0_u32..7, 1_u32..3, prop::sample::select(vec![40, 60, 130]), 0_u32..4, zone).prop_map(
        |(count, image, memory, parallel, zone)| {
            let rule = only_in(zone);
            format!("count={count} image={image} memory={memory} max_parallel={parallel} {rule}")
        },
    )
}

/// What is to run, by place: its name and what it runs.
fn standing(view: &View) -> BTreeMap<String, (String, u64)> {
    let runs =
        view.placements.iter().filter(|(key, row)| row.value.wish == Wish::Run && !view.indexes.is_gone(key));
    runs.map(|(key, row)| (row.value.index.to_string(), (key.segment(3).to_owned(), row.value.spec)))
        .collect()
}

/// How many instances of a version are to run and not yet healthy.
fn unproved(view: &View, version: u64) -> usize {
    let of_version = view.placements.iter().filter(|(_, row)| row.value.version == version);
    of_version.filter(|(key, row)| row.value.wish == Wish::Run && !is_healthy(view, key)).count()
}
