//! Rollouts without any instance: all of none is nothing.

use insta::assert_snapshot;

use super::decide;

#[test]
fn a_rollout_over_nothing_is_over() {
    let nowhere = r#"job logs type=system constraint="${meta.zone} = b" · roster logs.api every=v1.0"#;
    let rollout = "deployment logs v1 running api=0/0/0/0";
    assert_snapshot!(decide(&format!("node n1 meta.zone=a · {nowhere} · {rollout}"), 0), @"deployment logs v1 successful api=0/0/0/0: no node fits; those that will get the instance as they join");
    // A node that fits, full as it may be, is waited for; one that takes no work is not.
    let fits = "node n1 meta.zone=b memory=0";
    assert_snapshot!(decide(&format!("{fits} · {nowhere} · {rollout}"), 0), @"");
    assert_snapshot!(decide(&format!("{fits} ineligible · {nowhere} · {rollout}"), 0), @"deployment logs v1 successful api=0/0/0/0: no node fits; those that will get the instance as they join");
    assert_snapshot!(decide(&format!("{fits} down · {nowhere} · {rollout}"), 0), @"deployment logs v1 successful api=0/0/0/0: no node fits; those that will get the instance as they join");
    assert_snapshot!(decide("node n1 · job logs type=system count=0 · deployment logs v1 running", 0), @r"
        deployment logs v1 successful api=0/0/0/0: no instance is wanted
        roster logs.api empty
        ");
    assert_snapshot!(decide("node n1 · job web count=0 · deployment web v1 running", 0), @r"
        deployment web v1 successful api=0/0/0/0: no instance is wanted
        roster web.api empty
        ");
}

#[test]
fn a_version_without_an_instance_has_not_worked() {
    let job = "job web v3 image=3 auto_revert max_parallel=1 progress=60 · version web v1 image=1
        version web v2 count=0 · node n1 · roster web.api 0=v3.0 · place web.api.0-v3.0 on n1
        deployment web v1 successful api=1/1/1/0 · deployment web v2 successful api=0/0/0/0
        deployment web v3 running api=1/1/0/0@+60";
    assert_snapshot!(decide(job, 60), @r#"
        deployment web v3 failed api=1/1/0/0@+60 reverted_to=1: group "api": no further instance became healthy within 1m; going back to version 1
        "#);
}
