//! Placements, nodes and whole stores that are gone, and what still runs.

use super::*;

#[test]
fn what_did_not_end_is_not_forgotten_with_its_node_unless_that_was_purged() {
    let placed = "node n1 · job web count=2 · roster web.api 0=v1.1 1=v1.0
        place web.api.0-v1.0 on n1 stop=old · place web.api.1-v1.0 on n1";
    let lost = format!("{placed} · delete /fingerprints/n1 · delete /health/n1");
    assert_snapshot!(decide(&lost), @"note web.api: 1 wait: considered 0 nodes");
    assert_snapshot!(decide(&format!("{placed} · purge n1")), @"
    forget web.api.0-v1.0 on n1
    note web.api: 1 wait: considered 0 nodes
    ");
    assert_snapshot!(decide(&format!("{placed} · purge n1 · node n1")), @"
    forget web.api.0-v1.0 on n1
    then
    + web.api.0-v1.1 on n1
    ");
    let deleted = placed.replace("job web count=2", "job web count=2 deleted");
    assert_snapshot!(decide(&format!("{deleted} · health n1 down")), @"note web.api: 1 wait: considered 1 nodes: 1 not ready");
}

/// One job on two nodes; its only instance runs on n1.
const RUNS: &str = "node n1 · node n2 · job web count=1 · roster web.api 0=v1.0
    place web.api.0-v1.0 on n1 port.http=20007 at=+5 · report web.api.0-v1.0 running healthy";

#[test]
fn an_orphan_that_its_slot_still_means_is_adopted_as_it_was() {
    assert_snapshot!(decide(&format!("{RUNS} · lose web.api.0-v1.0")), @"+ web.api.0-v1.0 on n1 port.http=20007");
    let mut view = read(&format!("{RUNS} · lose web.api.0-v1.0"));
    let plan = plan(&view, at(0));
    apply(&mut view, &plan, |_| ()).unwrap();
    let key = Key::placement("n1", "default", "web.api.0-v1.0");
    let report = view.indexes.report(&key).expect("what was said of the lost one is about this one");
    assert_eq!(view.placements.get(&key).unwrap().adopts, Some(report.placed));
}

#[test]
fn an_orphan_whose_agent_has_not_said_what_it_was_keeps_its_name() {
    assert_snapshot!(decide(&format!("{RUNS} · lose web.api.0-v1.0 silent")), @"note web.api.0-v1.0: on n1: its placement is missing and its agent has not said what it was");
    // A dead machine will say nothing; should it come back, it is told that another took the place.
    assert_snapshot!(decide(&format!("{RUNS} · lose web.api.0-v1.0 silent · health n1 down")), @"+ web.api.0-v1.0 on n2");
}

#[test]
fn a_name_that_vanished_with_its_report_waits_until_its_agent_can_have_spoken() {
    let lost = |then: &str| {
        let key = Key::placement("n1", "default", "web.api.0-v1.0");
        let mut view = read(&format!("{RUNS} · delete {key} · delete /reports/n1/0{then}"));
        view.sight.missed(&key, true);
        view
    };
    let (view, now) = (lost(""), at(9));
    assert_snapshot!(effects(&view, &plan(&view, now)), @"
    wake at +84
    note web.api.0-v1.0: on n1: its placement vanished, and its agent has not said yet whether it runs
    ");
    // An agent that says what it runs is answered, and one that is dead is not waited for.
    let mut view = lost(" · health n1 down");
    assert_snapshot!(effects(&view, &plan(&view, now)), @"+ web.api.0-v1.0 on n2");
    view = lost(" · purge n1");
    assert_snapshot!(effects(&view, &plan(&view, now)), @"+ web.api.0-v1.0 on n2");
}

#[test]
fn an_orphan_that_a_readable_document_disowns_is_told_to_stop() {
    for (word, then) in [
        ("roster web.api 0=v2.0", "version web v2"),
        ("roster web.api", "job web count=0"),
        ("job web count=1 deleted", ""),
        ("place web.api.0-v1.0 on n2", ""),
        ("roster web.api 0=v1.0~complete", ""),
    ] {
        let then = if then.is_empty() { String::new() } else { format!(" · {then}") };
        let told = decide(&format!("{RUNS} · lose web.api.0-v1.0 · {word}{then}"));
        assert!(told.starts_with("+ web.api.0-v1.0 on n1 port.http=20007 stop ("), "{word}: {told}");
    }
}

#[test]
fn an_orphan_of_an_unknown_job_goes_on_until_operators_chose_this_store() {
    let lost =
        format!("{RUNS} · lose web.api.0-v1.0 · delete /jobs/default/web · delete /rosters/default/web/api");
    assert_snapshot!(decide(&format!("epoch a · {lost}")), @"note web.api.0-v1.0: on n1: the store knows nothing of its job; it goes on");
    assert_snapshot!(decide(&format!("epoch b a@+4 · {lost}")), @"note web.api.0-v1.0: on n1: the store knows nothing of its job; it goes on");
    assert_snapshot!(decide(&format!("epoch b a@+6 · {lost}")), @"+ web.api.0-v1.0 on n1 port.http=20007 stop (the store that operators chose does not know its job)");
}

#[test]
fn nothing_is_placed_on_a_node_that_follows_another_store() {
    let wants = "job web count=1 · roster web.api 0=v1.0";
    assert_snapshot!(decide(&format!("epoch b · node n1 follows=a · {wants}")), @"note web.api: 1 wait: considered 1 nodes: 1 not ready");
    assert_snapshot!(decide(&format!("epoch b a@+6 · node n1 follows=a · {wants}")), @"+ web.api.0-v1.0 on n1");
}

#[test]
fn what_was_placed_after_a_purge_is_kept() {
    let placed = "job web count=1 · roster web.api 0=v1.1 · place web.api.0-v1.0 on n1 stop=old";
    let after = decide(&format!("node n1 · purge n1 · node n1 · {placed}"));
    assert!(!after.contains("forget"), "the purge is not about it: {after}");
    let before = decide(&format!("node n1 · {placed} · purge n1 · node n1"));
    assert!(before.contains("forget web.api.0-v1.0"), "{before}");
}

#[test]
fn an_orphan_waits_for_what_cannot_be_read() {
    let lost = format!("epoch b a@+6 · {RUNS} · lose web.api.0-v1.0");
    for key in ["/jobs/default/web", "/rosters/default/web/api"] {
        let told = decide(&format!("{lost} · garbage {key}"));
        assert_eq!(told, "note web.api.0-v1.0: on n1: what should be of its job cannot be read\n", "{key}");
    }
}

#[test]
fn an_orphan_waits_for_what_is_missing() {
    let lost = format!("{RUNS} · lose web.api.0-v1.0");
    assert_snapshot!(decide(&format!("{lost} · delete /rosters/default/web/api")), @"note web.api.0-v1.0: on n1: its job has no roster yet");
}
