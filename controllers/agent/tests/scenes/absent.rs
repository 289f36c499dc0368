//! A placement vanishes from the store: nobody wished anything.

use insta::assert_snapshot;
use schemas::placement::Wish;
use serde_json::json;

use crate::node::{Node, id};

fn running() -> Node {
    Node::new().place("service", json!({"tasks": [{"name": "server"}]})).wait(20).hush()
}

#[test]
fn what_runs_without_a_placement_goes_on_and_asks() {
    let mut node = running();
    node.local.complete = false;
    let mut node = node.unplace();
    assert_eq!(node.log, "", "an outage says nothing");
    node.local.complete = true;
    let node = node.settle("placements known").wait(3600);
    assert_snapshot!(node.log, @"
    20s placements known:
      report default/web.api.0-v0.0 running v0 healthy orphan (its placement is not in the store)
    ");
    assert!(node.local.tasks[&id()]["server"].fact.is_alive());
}

#[test]
fn a_placement_that_cannot_be_read_changes_nothing() {
    let node = running().garble().wait(3600);
    assert_eq!(node.log, "", "what it says is not known");
    assert!(node.local.tasks[&id()]["server"].fact.is_alive());
    assert_eq!(node.forget_silently().wait(60).log, "", "nor is it without the memory");
}

#[test]
fn a_placement_that_adopts_it_changes_nothing_that_runs() {
    let node = running().unplace().hush().adopt(Wish::Run).wait(60);
    assert_snapshot!(node.log, @"
    20s adopt:
      report default/web.api.0-v0.0 running v0 healthy
    ");
    let node = node.unplace().adopt(Wish::Run);
    assert_snapshot!(node.hush().lose_memory().wait(60).log, @"");
}

#[test]
fn an_adopted_one_is_known_by_its_report_when_the_memory_is_lost_before_it_is_told_again() {
    let mut node = running().unplace().hush();
    node.local.memory.clear();
    assert_snapshot!(node.adopt(Wish::Run).log, @"
    20s adopt:
      report default/web.api.0-v0.0 running v0 healthy
    ");
}

#[test]
fn a_readable_word_stops_it() {
    let stop = Wish::Stop { reason: "no slot wants it".into(), unfit: false };
    assert_snapshot!(running().unplace().hush().adopt(stop).log, @"
    20s adopt:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: no slot wants it
      report default/web.api.0-v0.0 running v0 healthy
      report default/web.api.0-v0.0 complete v0 healthy ran=20s exit=130 (no slot wants it)
    ");
}

#[test]
fn what_was_told_to_end_goes_on_ending_and_what_has_ended_is_cleared_away() {
    assert_snapshot!(running().exit("server", 0).stop().hush().unplace().log, @"
    20s unplace:
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
    ");
}

#[test]
fn a_purged_node_ends_what_was_placed_before_that_and_nothing_else() {
    assert_eq!(running().unplace().hush().purge(7).log, "", "it was placed by that very revision");
    assert_snapshot!(running().unplace().hush().purge(8).log, @"
    20s purged:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: its node was purged
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
    ");
    assert_eq!(running().purge(8).log, "", "what has a placement is wanted");
}
