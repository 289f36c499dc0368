//! Instances that could not begin, for somebody else had a port of theirs.

use super::*;

#[test]
fn an_instance_whose_port_is_taken_is_placed_again_at_once_and_not_without_end() {
    let taken = |job: &str, slot: &str, attempt: u32| {
        let (place, report) = (format!("web.api.0-v1.{attempt}"), "failed taken=8080");
        decide(
            &format!(
                "job web count=1 {job} · roster web.api 0={slot} · node n1 · deployment web v1 running api=1/0/0/0
                place {place} on n1 · report {place} {report}"
            ),
            0,
        )
    };
    assert_snapshot!(taken("", "v1.0", 0), @"roster web.api 0=v1.1?1");
    assert_snapshot!(taken("", "v1.4!1?4", 4), @"roster web.api 0=v1.5!1?5");
    let last = taken("", "v1.5?5", 5);
    assert!(last.contains("roster web.api 0=v1.6!1?5~+30"), "by the policy from then on: {last}");
    assert_snapshot!(taken("type=batch", "v1.0", 0), @"roster web.api 0=v1.1?1");
    // One that began and then failed is another matter.
    let failed = decide(
        "job web count=1 · roster web.api 0=v1.2?2 · node n1 · deployment web v1 running api=1/0/0/0
        place web.api.0-v1.2 on n1 · report web.api.0-v1.2 failed",
        0,
    );
    assert!(failed.contains("roster web.api 0=v1.3!1~+30"), "{failed}");
}

#[test]
fn a_system_instance_whose_port_is_taken_is_placed_again_at_once_and_not_without_end() {
    let taken = |slot: &str| {
        decide(
            &format!(
                "job logs type=system · roster logs.api every=v1.0 n1={slot} · node n1
                deployment logs v1 running api=1/0/0/0
                place logs.api.n1-v1.1 on n1 · report logs.api.n1-v1.1 failed taken=20001"
            ),
            0,
        )
    };
    assert!(taken("v1.1?1").contains("n1=v1.2?2"), "{}", taken("v1.1?1"));
    assert!(taken("v1.1?5").contains("n1=v1.1?5~failed"), "{}", taken("v1.1?5"));
}
