//! Groups with an instance on every node that fits.

use super::*;

#[test]
fn system_groups_have_one_instance_on_every_node_that_fits() {
    let picture = "node n1 · node n2 drivers=exec · node n3 down · node n4 memory=50 · node n5
        job log type=system memory=100 · roster log.api every=v2.0 n5=v1.0
        version log v2 type=system · version log v1 type=system";
    assert_snapshot!(decide(picture), @"
    + log.api.n5-v1.0 on n5
    + log.api.n1-v2.0 on n1
    note log.api: waits for n4: 50 MB of memory short
    ");
}

#[test]
fn rules_about_neighbours_hold_for_system_groups_too() {
    let nodes = "node a1 dc=a · node a2 dc=a · node b1 dc=b · node c1 dc=c";
    let rule = r#"constraint="${node.datacenter} distinct_property 1""#;
    assert_snapshot!(decide(&format!("{nodes} · job log type=system {rule} · roster log.api every=v1.0
        version log v1 type=system {rule}")), @"
    + log.api.a1-v1.0 on a1
    + log.api.b1-v1.0 on b1
    + log.api.c1-v1.0 on c1
    ");
    let running = "place log.api.a1-v1.0 on a1 · report log.api.a1-v1.0 running healthy
        place log.api.a2-v1.0 on a2 · report log.api.a2-v1.0 running healthy
        place log.api.b1-v1.0 on b1 · report log.api.b1-v1.0 running healthy";
    // A rule that is added lets one of each value stay, and no other come.
    assert_snapshot!(decide(&format!("{nodes} · {running} · version log v1 type=system · job log v2 type=system {rule}
        version log v2 type=system {rule} · roster log.api every=v1.0+v2")), @"
    update log.api.a1-v1.0 on a1 to v2
    stop log.api.a2-v1.0 on a2: the node does not fit v2: ${node.datacenter} distinct_property 1
    update log.api.b1-v1.0 on b1 to v2
    then
    + log.api.c1-v1.0 on c1 spec=v2
    ");
    assert_snapshot!(decide(&format!("{nodes} · {running} · version log v1 type=system
        job log v2 type=system image=2 {rule} · version log v2 type=system image=2 {rule}
        roster log.api every=v2.0")), @"
    stop log.api.a1-v1.0 on a1: replaced by v2
    stop log.api.a2-v1.0 on a2: replaced by v2, which the node does not fit
    stop log.api.b1-v1.0 on b1: replaced by v2
    then
    + log.api.a1-v2.0 on a1
    + log.api.b1-v2.0 on b1
    + log.api.c1-v2.0 on c1
    ");
}
