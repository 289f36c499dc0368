//! Histories made by hand in which a rule is broken: the checker must see each of them.

use encamp::drivers::TaskId;
use encamp::store::{Batch, Store as _, Txn};
use futures::FutureExt as _;
use insta::assert_snapshot;
use plan::{Guard, View, Write, fixture};
use schemas::key::{Key, Revision};

use crate::checker::Checker;
use crate::faults::{Sabotage, World};
use crate::machine::Happening;
use crate::rules;

/// A cluster in which all is well: one job of one instance on one of two nodes.
const WELL: &str = "node n1 · node n2 · job web count=1 ports=http · roster web.api 0=v1.0
    place web.api.0-v1.0 on n1 port.http=20000 · report web.api.0-v1.0 running healthy
    deployment web v1 successful api=1/1/1/0";

/// A checker that has seen all of it.
fn seen(picture: &str) -> Checker {
    let (mut checker, mut view) = (Checker::default(), View::default());
    for (revision, changes) in fixture::write(&mut view, picture) {
        checker.revision(&Batch { revision, changes });
    }
    checker
}

/// What is found after `more` has happened to a cluster in which all was well.
fn found(more: &str) -> String {
    seen(&format!("{WELL}\n{more}")).breaches.join("\n")
}

fn task(allocation: &str) -> TaskId {
    TaskId::new("default", allocation, "main").unwrap()
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(found(""), "");
    assert_eq!(found("place web.api.0-v1.0 on n1 port.http=20000 stop=\"replaced\""), "");
}

#[test]
fn i1_a_placement_needs_a_slot() {
    assert_snapshot!(found("place web.api.1-v1.0 on n2"), @r"
    at revision 8: I1: /placements/n2/default/web.api.1-v1.0 was made for no slot
    ");
    assert_snapshot!(found("job etl count=1 · place etl.api.0-v1.0 on n2"), @r"
    at revision 9: I1: /placements/n2/default/etl.api.0-v1.0 was made for no slot
    ");
}

#[test]
fn i3_a_slot_is_placed_once() {
    assert_snapshot!(found("place web.api.0-v1.0 on n2"), @r#"
    at revision 8: I3: ("default", "web", "api", "0") is wanted more than once: [Key("/placements/n1/default/web.api.0-v1.0"), Key("/placements/n2/default/web.api.0-v1.0")]
    "#);
    assert_snapshot!(found("roster web.api 0=v1.1 · place web.api.0-v1.1 on n2"), @r#"
    at revision 9: I3: ("default", "web", "api", "0") is wanted more than once: [Key("/placements/n1/default/web.api.0-v1.0"), Key("/placements/n2/default/web.api.0-v1.1")]
    "#);
}

#[test]
fn i4_and_i5_nothing_is_promised_twice() {
    let more = "job fat count=1 memory=9000 · roster fat.api 0=v1.0 · place fat.api.0-v1.0 on n1";
    assert_snapshot!(found(more), @r"
    at revision 10: I4: n1 has promised Amount { cpu_mhz: 200, memory_mb: 9100, disk_mb: 0 }
    ");
    let more = "job etl count=1 · roster etl.api 0=v1.0 · place etl.api.0-v1.0 on n1 port.http=20000";
    assert_snapshot!(found(more), @r"at revision 10: I5: ports [20000] of n1 are promised twice");
}

#[test]
fn i6_a_node_must_take_work() {
    let more = |node: &str| format!("{node} · roster web.api 0-1=v1.0 · place web.api.1-v1.0 on n2");
    assert_snapshot!(found(&more("node n2 down")), @r"
    at revision 10: I6: /placements/n2/default/web.api.1-v1.0 was made on a node that is not ready
    ");
    assert_snapshot!(found(&more("node n2 ineligible")), @r"
    at revision 10: I6: /placements/n2/default/web.api.1-v1.0 was made on a node that takes no work
    ");
}

#[test]
fn i7_and_i8_what_was_stays() {
    assert_snapshot!(found("report web.api.0-v1.0 failed · report web.api.0-v1.0 running"), @r"
    at revision 9: I8: /placements/n1/default/web.api.0-v1.0 had ended as Failed and is Running
    ");
}

#[test]
fn i11_rollouts_follow_each_other() {
    assert_snapshot!(found("deployment web v1 running api=1/1/1/0"), @r"
    at revision 8: I11: /deployments/default/web/1 was Successful and is Running
    ");
    assert_snapshot!(found("deployment web v2 running api=1/1/1/0 · deployment web v3 running api=1/1/1/0"), @r#"
    at revision 9: I11: ("default", "web") has 2 rollouts under way
    "#);
}

#[test]
fn i15_and_i16_writes_are_guarded() {
    let world = World::new(Sabotage::Terms);
    let handle = world.handle(1);
    let key = Key::job("default", "web");
    let commit = |guards: Vec<Guard>| {
        let writes = vec![Write::Put { key: key.clone(), value: "{}".into() }];
        handle.commit(Txn { guards, writes }).now_or_never().unwrap().unwrap();
        std::mem::take(&mut *world.breaches.lock().unwrap()).join("\n")
    };
    assert_snapshot!(commit(vec![]), @r"
    I15: put /jobs/default/web {} is written without a guard on its key
    ");
    let at = Guard::At(key.clone(), Revision(3));
    let term = |term: u64| Guard::Term { leader: Key::leader("scheduler"), term: Revision(term) };
    assert_eq!(commit(vec![at, term(7)]), "");
    assert_snapshot!(commit(vec![Guard::At(key.clone(), Revision(4)), term(5)]), @r"I16: /leaders/scheduler wrote in term 5 after term 7");
}

#[test]
fn i19_a_picture_is_like_the_store() {
    let truth = fixture::read(WELL);
    assert_eq!(rules::differences(&truth, &truth), Vec::<String>::new());
    let picture =
        fixture::read(&format!("{WELL}\nroster web.api 0=v1.1 · delete /deployments/default/web/1"));
    assert_snapshot!(rules::differences(&truth, &picture).join("\n"), @r"
    knows /deployments/default/web/1 as of None, not Some(Revision(7))
    knows /rosters/default/web/api as of Some(Revision(8)), not Some(Revision(4))
    ");
}

#[test]
fn i20_a_version_that_runs_is_kept() {
    assert_snapshot!(found("delete /versions/default/web/1"), @r"
    at revision 8: I20: /placements/n1/default/web.api.0-v1.0 runs version 1, which is unknown
    ");
}

#[test]
fn i22_a_task_runs_once_and_where_it_was_placed() {
    let at = |nodes: &[&str]| {
        let mut checker = seen(WELL);
        checker.reality(nodes.iter().map(|node| (*node, vec![task("web.api.0-v1.0")])));
        checker.breaches.join("\n")
    };
    assert_eq!(at(&["n1"]), "");
    assert_snapshot!(at(&["n2"]), @r"
    I22: default/web.api.0-v1.0/main runs on n2, where it was not placed
    ");
    assert_snapshot!(at(&["n1", "n2"]), @r#"
    I22: default/web.api.0-v1.0/main runs on n2, where it was not placed
    I22: default/web.api.0-v1.0/main is alive on {"n1", "n2"}
    "#);
}

#[test]
fn i23_a_task_begins_once_and_is_stopped_for_a_reason() {
    let lives = |more: &str, happenings: &[Happening]| {
        let mut checker = seen(WELL);
        let first = Happening::Began(task("web.api.0-v1.0"), 0);
        checker.happened("n1", &first);
        let mut view = fixture::read(WELL);
        for (revision, changes) in fixture::write(&mut view, more) {
            checker.revision(&Batch { revision, changes });
        }
        happenings.iter().for_each(|happening| checker.happened("n1", happening));
        checker.breaches.join("\n")
    };
    let task = || task("web.api.0-v1.0");
    assert_snapshot!(lives("", &[Happening::Began(task(), 0)]), @r"I23: default/web.api.0-v1.0/main of n1 began again as #0");
    assert_snapshot!(lives("", &[Happening::Stopped(task(), 0)]), @r"
    I23: default/web.api.0-v1.0/main #0 of n1 was stopped while it was wanted
    ");
    assert_eq!(lives("", &[Happening::Ended(task(), 0), Happening::Began(task(), 1)]), "");
    assert_eq!(lives("", &[Happening::Off, Happening::Began(task(), 0)]), "");
    let stop = r#"place web.api.0-v1.0 on n1 port.http=20000 stop="replaced""#;
    assert_eq!(lives(stop, &[Happening::Stopped(task(), 0)]), "");
}
