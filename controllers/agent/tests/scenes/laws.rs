//! What holds whatever happens on a node.

use std::collections::BTreeMap;

use agent::{Act, Fact, Local, VersionFact, decide};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::node::{Node, id};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Exit { task: usize, code: i32 },
    Wait(i64),
    Stop,
    Unplace,
    LoseMemory,
    SaveMemory,
    OldMemory,
    Appear { task: usize, incarnation: u32 },
    Outage,
    Break { task: usize, fatal: bool },
    Mend,
}

const TASKS: [&str; 5] = ["migrate", "proxy", "server", "helper", "cleanup"];

fn group() -> Value {
    json!({
        "restart": {"attempts": 2, "delay": "5s", "interval": "10m"},
        "tasks": [
            {"name": "migrate", "lifecycle": {"hook": "prestart"}},
            {"name": "proxy", "lifecycle": {"hook": "prestart", "sidecar": true}},
            {"name": "server", "leader": true},
            {"name": "helper"},
            {"name": "cleanup", "lifecycle": {"hook": "poststop"}},
        ],
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..TASKS.len(), 0..2).prop_map(|(task, code)| Happening::Exit { task, code }),
        4 => (0..200_i64).prop_map(Happening::Wait),
        1 => Just(Happening::Stop),
        1 => Just(Happening::Unplace),
        1 => Just(Happening::LoseMemory),
        1 => Just(Happening::SaveMemory),
        1 => Just(Happening::OldMemory),
        1 => Just(Happening::Outage),
        1 => (0..TASKS.len(), any::<bool>()).prop_map(|(task, fatal)| Happening::Break { task, fatal }),
        2 => Just(Happening::Mend),
    ]
}

/// What a runtime may do that an agent has lost track of.
fn surprise() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => happening(),
        1 => (0..TASKS.len(), 0..3_u32)
            .prop_map(|(task, incarnation)| Happening::Appear { task, incarnation }),
    ]
}

fn happen(mut node: Node, happening: Happening) -> Node {
    match happening {
        Happening::Exit { task, code } => {
            let alive = node.local.tasks.get(&id()).and_then(|tasks| tasks.get(TASKS[task]));
            if alive.is_some_and(|seen| seen.fact.is_alive()) { node.exit(TASKS[task], code) } else { node }
        }
        Happening::Wait(seconds) => node.wait(seconds),
        Happening::Stop if node.local.wishes.is_empty() => node,
        Happening::Stop => node.stop(),
        Happening::Unplace => node.unplace(),
        Happening::LoseMemory => node.lose_memory(),
        Happening::SaveMemory => node.save_memory(),
        Happening::OldMemory => node.return_to_memory(),
        Happening::Appear { task, incarnation } => {
            let seen = node.local.tasks.get(&id()).and_then(|tasks| tasks.get(TASKS[task]));
            if seen.is_some_and(|seen| seen.fact.is_alive()) {
                node
            } else {
                node.appear(TASKS[task], incarnation)
            }
        }
        Happening::Outage => {
            node.local.complete = false;
            let mut node = node.settle("outage");
            node.local.complete = true;
            node.settle("back")
        }
        Happening::Break { task, fatal } => node.break_start(TASKS[task], fatal),
        Happening::Mend => node.mend(),
    }
}

/// What may be stopped must have a reason: nothing is stopped while all is well.
fn check_acts(local: &Local, now: Timestamp) {
    let plan = decide(local, &id(), now);
    let mut started: BTreeMap<&String, u32> = BTreeMap::new();
    for act in plan.steps.iter().flat_map(|step| &step.effects) {
        match act {
            Act::Start { task, incarnation, .. } => {
                assert!(started.insert(task, *incarnation).is_none(), "{task} starts twice in one plan");
                let seen = local.tasks.get(&id()).and_then(|tasks| tasks.get(task));
                assert!(seen.is_none_or(|seen| !seen.fact.is_alive()), "{task} starts while it runs");
                assert!(
                    seen.is_none_or(|seen| seen.incarnation < *incarnation),
                    "{task} starts again as the same"
                );
            }
            Act::Stop { reason, .. } => {
                assert!(!reason.is_empty());
                assert!(
                    local.complete || local.wishes.contains_key(&id()),
                    "stopped although nothing is known"
                );
            }
            Act::Forget { .. } | Act::Remove(_) => {
                assert!(local.complete && !local.wishes.contains_key(&id()));
            }
            Act::Report(_, None) => assert!(!local.wishes.contains_key(&id()) && local.complete),
            Act::Report(_, Some(_)) | Act::Remember(..) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Node::settle fails if decisions do not come to rest, if a task starts or stops twice, or if a wish to be
    /// woken does not lie ahead; so living through anything at all is the law.
    #[test]
    fn whatever_happens_decisions_come_to_rest(
        job_type in prop_oneof![Just("service"), Just("batch")],
        happenings in proptest::collection::vec(surprise(), 0..25),
    ) {
        let mut node = Node::new().place(job_type, group());
        let mut terminal = None;
        for happening in happenings {
            node = happen(node, happening);
            check_acts(&node.local, node.now);
            let state = node.local.reports.get(&id()).map(|report| report.state);
            if let Some(before) = terminal {
                prop_assert!(state.is_none_or(|state| state == before), "{}", node.log);
            }
            terminal = state.filter(|state| state.is_terminal());
        }
    }

    /// The end is always reached: after a wish to stop, enough time leaves nothing running and a final report.
    #[test]
    fn a_wish_to_stop_is_always_granted(happenings in proptest::collection::vec(happening(), 0..15)) {
        let node = happenings.into_iter().fold(Node::new().place("service", group()), happen);
        if !node.local.wishes.is_empty() {
            let node = node.mend().stop().wait(60);
            let node = happen(node, Happening::Exit { task: 4, code: 0 }).wait(600);
            let tasks = node.local.tasks.get(&id());
            let alive = tasks.into_iter().flatten().any(|(_, seen)| matches!(seen.fact, Fact::Running { .. }));
            prop_assert!(!alive, "{}", node.log);
            prop_assert!(node.local.reports[&id()].state.is_terminal(), "{}", node.log);
        }
    }

    /// Main tasks never run before what prepares them is done, nor twice as the same incarnation.
    #[test]
    fn the_order_of_lives_is_kept(happenings in proptest::collection::vec(happening(), 0..15)) {
        let mut node = Node::new().place("service", group());
        for happening in happenings {
            node = happen(node, happening);
            let Some(memory) = node.local.memory.get(&id()).filter(|memory| memory.ending.is_none()) else { continue };
            let started = |task: &str| memory.tasks.get(task).is_some_and(|own| own.started.is_some());
            let prepared = memory.tasks.get("migrate").is_some_and(|own| own.phase.is_dead());
            prop_assert!(prepared || !started("server"), "{}", node.log);
        }
    }

    /// The same moment gives the same plan.
    #[test]
    fn a_plan_follows_from_the_moment_alone(happenings in proptest::collection::vec(happening(), 0..10)) {
        let node = happenings.into_iter().fold(Node::new().place("batch", group()), happen);
        let later = node.now + SignedDuration::from_secs(7);
        prop_assert_eq!(decide(&node.local, &id(), later), decide(&node.local, &id(), later));
        let has_job = node.local.wishes.values().all(|wanted| matches!(wanted.job, VersionFact::Known(_)));
        prop_assert!(has_job);
    }
}
