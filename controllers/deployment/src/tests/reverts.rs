//! Going back to the version that worked.

use insta::assert_snapshot;
use plan::{Controller, fixture};

use super::decide;
use crate::Deployer;

/// Version 2 of two instances has failed.
const FAILED: &str = "version web v1 count=2 image=1 auto_revert max_parallel=1 · node n1
    job web v2 count=2 image=2 auto_revert max_parallel=1 · deployment web v1 successful api=2/2/2/0
    roster web.api 0=v2.0 1=v1.0 · place web.api.0-v2.0 on n1 · place web.api.1-v1.0 on n1
    report web.api.1-v1.0 running healthy · report web.api.0-v2.0 running unhealthy spec=2
    deployment web v2 failed api=2/1/0/1@+60 reverted_to=1 description=late";

#[test]
fn what_worked_last_becomes_the_next_version() {
    assert_snapshot!(decide(FAILED, 61), @r"
        job web v3
        version web v3: deployment controller went from 2 back to 1: late
        note web: version 2 failed: going back
        ");
    let mut view = fixture::read(FAILED);
    let plan = Deployer.plan(&view, &schemas::key::Key::job("default", "web"), fixture::at(61));
    // Users who change the job meanwhile have the last word.
    let guard = plan.steps[0].guards.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
    assert_snapshot!(guard, @r"
        /deployments/default/web/2 at 10 · /jobs/default/web at 3 · /versions/default/web/3 absent
        ");
    fixture::apply(&mut view, &plan, |_| ()).unwrap();
    let plan = Deployer.plan(&view, &schemas::key::Key::job("default", "web"), fixture::at(61));
    assert_snapshot!(fixture::effects(&view, &plan), @r"
        deployment web v3 running api=2/1/0/0@+661
        roster web.api 0=v3.0 1=v1.0+v3
        wake at +661
        ");
    fixture::apply(&mut view, &plan, |_| ()).unwrap();
    let again = Deployer.plan(&view, &schemas::key::Key::job("default", "web"), fixture::at(61));
    assert!(again.is_empty(), "{}", fixture::effects(&view, &again));
}

#[test]
fn a_version_that_is_gone_or_wants_the_same_is_not_gone_back_to() {
    let job = "node n1 · job web v3 image=1 auto_revert max_parallel=1 progress=60 · deployment web v1 successful api=1/1/1/0
        deployment web v2 failed api=1/1/0/1@+60 reverted_to=1 · deployment web v3 running api=1/1/0/0@+60
        roster web.api 0=v3.0 · place web.api.0-v3.0 on n1";
    let same = "version web v1 image=1 auto_revert max_parallel=1 progress=60";
    assert_snapshot!(decide(&format!("{job} · {same}"), 60), @r#"
        deployment web v3 failed api=1/1/0/0@+60: group "api": no further instance became healthy within 1m; version 1, which worked last, is the same
        "#);
    assert_snapshot!(decide(job, 60), @r#"
        deployment web v3 failed api=1/1/0/0@+60: group "api": no further instance became healthy within 1m; no earlier version worked
        "#);
    let forgotten = "job web v2 auto_revert · deployment web v2 failed reverted_to=1 · roster web.api 0=v2.0";
    assert_snapshot!(decide(forgotten, 60), @"");
}

#[test]
fn a_way_back_goes_on_whatever_fails_meanwhile() {
    let picture = "version web v1 count=2 image=1 max_parallel=1 · version web v2 count=2 image=2 max_parallel=1
        job web v3 count=2 image=1 max_parallel=1 · version web v3 count=2 image=1 max_parallel=1 revert=1
        node n1 · deployment web v2 failed reverted_to=1 · deployment web v3 running · place web.api.0-v2.0 on n1
        report web.api.0-v2.0 running healthy";
    let roster = |rest: &str| {
        let told = decide(&format!("{picture} · {rest}"), 61);
        told.lines().filter(|line| line.starts_with("roster")).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(roster("roster web.api 0=v2.0 1=v3.3!3~+90"), @r#"
        roster web.api 0=v3.0 1=v3.3!3~+90
        "#);
    let unhealthy = "roster web.api 0=v2.0 1=v1.0+v3 · place web.api.1-v1.0 on n1 spec=3
        report web.api.1-v1.0 running unhealthy spec=3";
    assert_snapshot!(roster(unhealthy), @r#"
        roster web.api 0=v3.0 1=v1.0+v3
        "#);
    assert_snapshot!(roster("roster web.api 0=v2.0 1=v3.0~failed"), @r#"
        roster web.api 0=v3.0 1=v3.0~failed
        "#);
    // What an earlier release called by the name of the version that failed is kept.
    assert_snapshot!(roster("roster web.api 0=v2.1+v1 1=v1.0"), @r#"
        roster web.api 0=v2.1+v3 1=v1.0+v3
        "#);
}
