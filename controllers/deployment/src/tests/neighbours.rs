//! Rules about places, added or made stricter while instances run.

use insta::assert_snapshot;

use super::decide;

/// Version 2 differs from version 1 in its rules about neighbours only; three instances run on `nodes`.
fn neighbours(nodes: &[&str], rules: &str, rest: &str) -> String {
    let places = nodes.iter().enumerate().map(|(number, node)| {
        format!("place web.api.{number}-v1.0 on {node} · report web.api.{number}-v1.0 running healthy")
    });
    let places = places.collect::<Vec<_>>().join(" · ");
    let picture = format!(
        "node a1 dc=a · node a2 dc=a · node b1 dc=b · node b2 dc=b · version web v1 count=3 max_parallel=1
        job web v2 count=3 max_parallel=1 {rules} · deployment web v1 successful api=3/3/3/0
        deployment web v2 running api=3/0/0/0 · roster web.api 0-2=v1.0 · {places} · {rest}"
    );
    let told = decide(&picture, 0);
    told.lines().filter(|line| line.starts_with("roster")).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_about_neighbours_move_the_surplus_in_the_pace_of_the_rollout() {
    let hosts = |nodes, rest| neighbours(nodes, "distinct_hosts", rest);
    assert_snapshot!(hosts(&["a1", "a2", "b1"], ""), @"roster web.api 0-2=v1.0+v2");
    assert_snapshot!(hosts(&["a1", "a1", "a1"], ""), @"roster web.api 0=v1.0+v2 1-2=v1.0");
    // The next follows when the one before is healthy; the last stays.
    let second = "roster web.api 0=v1.0+v2 1=v2.0 2=v1.0 · place web.api.1-v2.0 on a2";
    assert_snapshot!(hosts(&["a1", "a1", "a1"], second), @"");
    let healthy = format!(
        "{second} · report web.api.1-v2.0 running healthy spec=2 · place web.api.0-v1.0 on a1 spec=2
        report web.api.0-v1.0 running healthy spec=2"
    );
    assert_snapshot!(hosts(&["a1", "a1", "a1"], &healthy), @"roster web.api 0=v1.0+v2 1-2=v2.0");
    let done = format!("{healthy} · roster web.api 0=v1.0+v2 1-2=v2.0 · place web.api.2-v2.0 on b1");
    assert_snapshot!(hosts(&["a1", "a1", "a1"], &done), @"");
    // One that runs the version already stays, whatever its number.
    let settled = "roster web.api 0=v1.0 1=v1.0+v2 2=v1.0 · place web.api.1-v1.0 on a1 spec=2";
    assert_snapshot!(hosts(&["a1", "a1", "b1"], settled), @"roster web.api 0=v1.0 1-2=v1.0+v2");
}

#[test]
fn every_rule_that_forbids_a_place_moves_what_is_there() {
    let property = |limit: u32| {
        let rule = format!(r#"constraint="${{node.datacenter}} distinct_property {limit}""#);
        neighbours(&["a1", "a2", "a1"], &rule, "")
    };
    assert_snapshot!(property(3), @"roster web.api 0-2=v1.0+v2");
    assert_snapshot!(property(2), @"roster web.api 0-1=v1.0+v2 2=v1.0");
    assert_snapshot!(property(1), @"roster web.api 0=v1.0+v2 1-2=v1.0");
    // A property that the node does not have; a rule about the node alone.
    let rack = r#"constraint="${meta.rack} distinct_property 3""#;
    assert_snapshot!(neighbours(&["a1", "a2", "b1"], rack, ""), @"roster web.api 0=v2.0 1-2=v1.0");
    let in_b = r#"constraint="${node.datacenter} = b""#;
    assert_snapshot!(neighbours(&["a1", "a2", "b1"], in_b, ""), @"roster web.api 0-1=v1.0 2=v1.0+v2");
    // Not asked for all at once; what is replaced anyway makes room.
    assert_snapshot!(neighbours(&["a1", "a1", "a1"], "image=2 distinct_hosts", ""), @"roster web.api 0=v2.0 1-2=v1.0");
}
