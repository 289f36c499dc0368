//! Pictures of a cluster and of where the scheduler puts things.

use insta::assert_snapshot;
use jiff::Timestamp;
use plan::fixture::{apply, at, effects, read};
use plan::{Controller, Plan, View, Write};
use schemas::key::Key;

use crate::Scheduler;

fn plan(view: &View, now: Timestamp) -> Plan<Write> {
    Scheduler.plan(view, &Key::new("/rosters").unwrap(), now)
}

/// The plan for a picture. Planning again after it was committed must give nothing.
fn decide(picture: &str) -> String {
    let mut view = read(picture);
    let plan = self::plan(&view, at(0));
    let text = effects(&view, &plan);
    apply(&mut view, &plan, |_| ()).unwrap();
    let again = self::plan(&view, at(0));
    assert!(again.is_empty(), "planning again gives {}", effects(&view, &again));
    text
}

#[test]
fn the_first_instances_fill_one_node_before_the_next() {
    assert_snapshot!(decide(
        "node n1 · node n2
        job web count=1 · group web db count=1 ports=pg:5432
        roster web.api 0=v1.0 · roster web.db 0=v1.0"
    ), @"
    + web.api.0-v1.0 on n1
    + web.db.0-v1.0 on n1 port.pg=5432
    ");
}

#[test]
fn instances_of_a_group_avoid_each_other() {
    assert_snapshot!(decide("node n1 · node n2 · job web count=4 · roster web.api 0-3=v1.0"), @"
    + web.api.0-v1.0 on n1
    + web.api.1-v1.0 on n2
    + web.api.2-v1.0 on n1
    + web.api.3-v1.0 on n2
    ");
}

#[test]
fn what_has_no_room_waits_and_says_why() {
    assert_snapshot!(decide(
        "node n1 memory=250 · node n2 memory=150 down · node n3 drivers=exec · node n4 dc=dc9
        job web count=4 memory=100 dc=dc1 · roster web.api 0-3=v1.0"
    ), @"
    + web.api.0-v1.0 on n1
    + web.api.1-v1.0 on n1
    note web.api: 2 wait: considered 4 nodes: 1 short of memory, 1 in another datacenter, 1 missing driver `docker`, 1 not ready; nearest n1: 50 MB of memory short
    ");
}

#[test]
fn a_replaced_instance_is_told_to_stop_first_and_keeps_its_room_until_it_ended() {
    let picture = "node n1 memory=100
        job web v2 image=2 · version web v1 · roster web.api 0=v2.0
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy";
    assert_snapshot!(decide(picture), @"
    stop web.api.0-v1.0 on n1: replaced by v2
    note web.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 100 MB of memory short
    ");
    assert_snapshot!(decide(&format!("{picture} · report web.api.0-v1.0 complete")), @"+ web.api.0-v2.0 on n1");
}
