//! Pictures of jobs and what is decided about them.

use insta::assert_snapshot;
use plan::{Controller, fixture};

use crate::Deployer;

mod neighbours;
mod nothing;
mod ports;
mod reverts;

/// Everything decided at `seconds`.
fn decide(picture: &str, seconds: i64) -> String {
    let view = fixture::read(picture);
    let plans =
        Deployer.all_roots(&view).into_iter().map(|root| Deployer.plan(&view, &root, fixture::at(seconds)));
    plans.map(|plan| fixture::effects(&view, &plan)).collect()
}

#[test]
fn a_new_job_gets_all_its_slots_at_once() {
    assert_snapshot!(decide("job web count=3", 0), @r"
        deployment web v1 running api=3/0/0/0
        roster web.api 0-2=v1.0
        ");
    assert_snapshot!(decide("job etl type=batch count=2", 0), @r"roster etl.api 0-1=v1.0");
    assert_snapshot!(decide("node n1 · job logs type=system", 0), @r"
        deployment logs v1 running api=0/0/0/0
        roster logs.api every=v1.0
        ");
}

#[test]
fn scaling_adds_at_once_and_takes_the_highest() {
    let job = "roster web.api 0-1=v1.0 · version web v1 count=2";
    assert_snapshot!(decide(&format!("{job} · job web v2 count=4"), 0), @r"
        deployment web v2 running api=4/0/0/0
        roster web.api 0-1=v1.0+v2 2-3=v2.0
        ");
    assert_snapshot!(decide(&format!("{job} · job web v2 count=1"), 0), @r"
        deployment web v2 running api=1/0/0/0
        roster web.api 0=v1.0+v2
        ");
}

#[test]
fn a_change_in_place_keeps_names() {
    let picture =
        "version web v1 count=2 · job web v2 count=2 priority=60 · roster web.api 0-1=v1.0 · node n1
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy · deployment web v1 successful";
    assert_snapshot!(decide(picture, 0), @"
    deployment web v2 running api=2/1/0/0@+600
    roster web.api 0-1=v1.0+v2
    wake at +600
    ");
}

/// Version 2 replaces version 1, three instances, one at a time.
fn rollout(rest: &str) -> String {
    let picture = format!(
        "version web v1 count=3 image=1 max_parallel=1 · job web v2 count=3 image=2 max_parallel=1 · node n1
        deployment web v1 successful api=3/3/3/0
        place web.api.1-v1.0 on n1 · report web.api.1-v1.0 running healthy
        place web.api.2-v1.0 on n1 · report web.api.2-v1.0 running healthy
        {rest}"
    );
    decide(&picture, 60)
}

#[test]
fn a_rollout_goes_on_when_the_last_one_is_healthy() {
    let first =
        "roster web.api 0-2=v1.0 · place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy";
    assert_snapshot!(rollout(first), @r"
        deployment web v2 running api=3/0/0/0
        roster web.api 0=v2.0 1-2=v1.0
        ");
    let underway = "roster web.api 0=v2.0 1-2=v1.0 · place web.api.0-v2.0 on n1
        deployment web v2 running api=3/1/0/0@+600";
    assert_snapshot!(rollout(underway), @r"wake at +600");
    let healthy = format!("{underway} · report web.api.0-v2.0 running healthy spec=2");
    assert_snapshot!(rollout(&healthy), @"
    deployment web v2 running api=3/1/1/0@+660
    roster web.api 0-1=v2.0 2=v1.0
    wake at +660
    ");
    let unhealthy = format!("{underway} · report web.api.0-v2.0 running unhealthy spec=2");
    assert_snapshot!(rollout(&unhealthy), @r"
    deployment web v2 running api=3/1/0/1@+600
    wake at +600
    ");
}

#[test]
fn a_rollout_without_progress_fails_and_may_go_back() {
    let late = "roster web.api 0=v2.0 1-2=v1.0 · place web.api.0-v2.0 on n1
        deployment web v2 running api=3/1/0/0@+60";
    assert_snapshot!(rollout(late), @r#"
        deployment web v2 failed api=3/1/0/0@+60: group "api": no further instance became healthy within 10m
        "#);
    let picture = "version web v1 count=2 image=1 auto_revert max_parallel=1 · node n1
        job web v2 count=2 image=2 auto_revert max_parallel=1 · deployment web v1 successful api=2/2/2/0
        roster web.api 0=v2.0 1=v1.0 · place web.api.0-v2.0 on n1 · place web.api.1-v1.0 on n1
        report web.api.1-v1.0 running healthy · report web.api.0-v2.0 running unhealthy spec=2";
    let failing = format!("{picture} · deployment web v2 running api=2/1/0/1@+60");
    assert_snapshot!(decide(&failing, 60), @r#"
        deployment web v2 failed api=2/1/0/1@+60 reverted_to=1: group "api": no further instance became healthy within 10m; going back to version 1
        "#);
}

#[test]
fn the_deadline_begins_with_the_first_instance_that_has_a_node() {
    let waiting = "job web count=2 progress=60 · roster web.api 0-1=v1.0 · node n1
        deployment web v1 running api=2/0/0/0";
    assert_snapshot!(decide(waiting, 9_000), @"");
    let placed = format!("{waiting} · place web.api.0-v1.0 on n1");
    assert_snapshot!(decide(&placed, 9_000), @r"
        deployment web v1 running api=2/1/0/0@+9060
        wake at +9060
        ");
    let begun = format!("{placed} · deployment web v1 running api=2/1/0/0@+9060");
    assert_snapshot!(decide(&begun, 9_060), @r#"
        deployment web v1 failed api=2/1/0/0@+9060: group "api": no further instance became healthy within 1m
        "#);
}

#[test]
fn a_system_instance_that_had_to_leave_comes_back_under_another_name() {
    let picture = "version logs v1 type=system · job logs v2 type=system priority=60 · node n1 · node n2
        deployment logs v2 successful · roster logs.api every=v1.0+v2
        place logs.api.n2-v1.0 on n2 spec=2 · report logs.api.n2-v1.0 running healthy spec=2";
    let left = r#"place logs.api.n1-v1.0 on n1 stop="the node does not fit v2" unfit"#;
    assert_snapshot!(decide(&format!("{picture} · {left}"), 10), @r"roster logs.api every=v1.0+v2 n1=v1.1+v2");
    let moved = format!("{picture} · {left} · roster logs.api every=v1.0+v2 n1=v1.1+v2");
    assert_snapshot!(decide(&moved, 10), @"");
    let rolled = format!("{moved} · job logs v3 type=system image=2 max_parallel=1");
    assert_snapshot!(decide(&rolled, 10), @r"
        deployment logs v3 running api=1/0/0/0
        roster logs.api every=v1.0+v2 n1=v3.0
        ");
    let unfit = format!("{rolled} · deployment logs v3 running · roster logs.api every=v1.0+v2 n1=v3.0");
    assert_snapshot!(decide(&unfit, 10), @r"
        deployment logs v3 running api=1/0/0/0
        roster logs.api every=v3.0
        ");
}

#[test]
fn a_failure_is_followed_by_another_attempt_and_a_lost_node_at_once() {
    let job = "job web count=2 · roster web.api 0-1=v1.0 · node n1 · deployment web v1 successful api=2/2/2/0
        place web.api.0-v1.0 on n1 · place web.api.1-v1.0 on n1 · report web.api.1-v1.0 running healthy";
    assert_snapshot!(decide(&format!("{job} · report web.api.0-v1.0 failed exit=1 ran=5"), 10), @r"
    roster web.api 0=v1.1!1~+40 1=v1.0
    wake at +40
    ");
    assert_snapshot!(decide(&format!("{job} · health n1 down"), 10), @r"roster web.api 0-1=v1.1");
    let waiting = "job web count=1 · roster web.api 0=v1.1!1~+40 · deployment web v1 successful api=1/1/1/0";
    assert_snapshot!(decide(waiting, 39), @r"wake at +40");
    assert_snapshot!(decide(waiting, 40), @r"roster web.api 0=v1.1!1");
}

#[test]
fn batch_instances_that_end_well_are_done() {
    let job = "job etl type=batch count=2 · roster etl.api 0-1=v1.0 · node n1
        place etl.api.0-v1.0 on n1 · report etl.api.0-v1.0 complete exit=0
        place etl.api.1-v1.0 on n1 · report etl.api.1-v1.0 failed exit=1";
    assert_snapshot!(decide(job, 10), @r"
    roster etl.api 0=v1.0~complete 1=v1.1!1~+15
    wake at +15
    ");
}

#[test]
fn a_system_job_is_rolled_node_by_node() {
    let job =
        "version logs v1 type=system image=1 max_parallel=1 · job logs v2 type=system image=2 max_parallel=1
        node n1 · node n2 · deployment logs v1 successful
        place logs.api.n1-v1.0 on n1 · report logs.api.n1-v1.0 running healthy
        place logs.api.n2-v1.0 on n2 · report logs.api.n2-v1.0 running healthy";
    assert_snapshot!(decide(&format!("{job} · roster logs.api every=v1.0"), 10), @r"
        deployment logs v2 running api=2/0/0/0
        roster logs.api every=v1.0 n1=v2.0
        ");
}

#[test]
fn a_deleted_job_goes_when_nothing_of_it_is_left() {
    let job = "job web count=1 deleted · roster web.api 0=v1.0 · deployment web v1 successful api=1/1/1/0 · node n1";
    assert_snapshot!(decide(&format!("{job} · place web.api.0-v1.0 on n1"), 10), @r"
    delete /rosters/default/web/api
    note web: 1 allocations have not ended yet
    ");
    let job = "job web count=1 deleted · deployment web v1 successful";
    let goes = decide(job, 10);
    assert_snapshot!(goes, @r"
    delete /deployments/default/web/1
    delete /versions/default/web/1
    then
    delete /jobs/default/web
    note web: everything has ended
    ");
    // What is on a lost node counts as gone once it is told to stop.
    let lost = |wish: &str| decide(&format!("{job} · node n1 down · place web.api.0-v1.0 on n1 {wish}"), 10);
    assert_snapshot!(lost(""), @"note web: 1 allocations have not ended yet");
    assert_eq!(lost(r#"stop="gone""#), goes);
}

#[test]
fn a_stopped_job_has_no_slots() {
    let job = "job web count=2 stop · roster web.api 0-1=v1.0 · deployment web v1 running api=2/2/0/0@+600";
    assert_snapshot!(decide(job, 10), @"
    deployment web v1 cancelled api=0/0/0/0@+600: the job was stopped
    roster web.api empty
    ");
}

#[test]
fn a_name_that_was_told_to_stop_is_never_waited_for() {
    let job =
        "node n1 · job web count=1 · deployment web v1 running api=1/0/0/0@+600 · roster web.api 0=v1.0";
    let stopped = r#"place web.api.0-v1.0 on n1 stop="the node does not fit""#;
    assert_snapshot!(decide(&format!("{job} · {stopped}"), 10), @"
    roster web.api 0=v1.1
    wake at +600
    ");
    let ended = "report web.api.0-v1.0 complete";
    assert_snapshot!(decide(&format!("{job} · {stopped} · {ended}"), 10), @"
    roster web.api 0=v1.1
    wake at +600
    ");
    let purged = "place web.api.0-v1.0 on n1 · purge n1";
    assert_snapshot!(decide(&format!("{job} · {purged}"), 10), @"
    roster web.api 0=v1.1
    wake at +600
    ");
}

#[test]
fn a_node_that_lost_its_documents_has_lost_nothing_else() {
    let job = "job web count=1 · deployment web v1 running api=1/1/0/0@+600 · roster web.api 0=v1.0";
    let placed = "place web.api.0-v1.0 on n9 · report web.api.0-v1.0 running";
    assert_snapshot!(decide(&format!("{job} · {placed}"), 10), @"wake at +600");
}

#[test]
fn a_new_version_is_a_new_chance_for_what_was_given_up() {
    let job = "version web v1 count=2 · deployment web v1 failed · roster web.api 0=v1.0~failed 1=v1.0";
    assert_snapshot!(decide(&format!("{job} · job web v2 count=2 priority=60"), 10), @r"
        deployment web v2 running api=2/0/0/0
        roster web.api 0=v1.0~failed 1=v1.0+v2
        ");
}

#[test]
fn a_job_of_many_groups_comes_and_goes_in_several_steps() {
    let one = |number: u32| format!("group web g{number}");
    let groups = (0..105).map(one).collect::<Vec<_>>().join(" · ");
    let mut view = fixture::read(&format!("job web · {groups}"));
    let root = schemas::key::Key::job("default", "web");
    let plan = Deployer.plan(&view, &root, fixture::at(0));
    assert_eq!(plan.steps.len(), 2);
    fixture::apply(&mut view, &plan, |_| ()).unwrap();
    assert_eq!(view.rosters.len(), 106);
    fixture::write(&mut view, "job web deleted");
    let plan = Deployer.plan(&view, &root, fixture::at(0));
    fixture::apply(&mut view, &plan, |_| ()).unwrap();
    assert!(view.jobs.is_empty() && view.rosters.is_empty());
}

/// Planned once and again, as everything is written.
fn mended(picture: &str) -> String {
    let mut view = fixture::read(picture);
    let mut text = String::new();
    for _ in 0..3 {
        for root in Deployer.all_roots(&view) {
            let plan = Deployer.plan(&view, &root, fixture::at(0));
            text += &fixture::effects(&view, &plan);
            fixture::apply(&mut view, &plan, |_| ()).unwrap();
        }
    }
    text
}

#[test]
fn a_roster_that_cannot_be_read_is_derived_from_its_placements() {
    let garbage = "garbage /rosters/default/web/api";
    let web = "node n1 · version web v1 image=1 · job web v2 image=1 priority=60 count=3 · deployment web v2 successful api=3/3/3/0
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 failed
        place web.api.0-v1.1 on n1 spec=2 · place web.api.1-v2.0 on n1 · place web.api.2-v1.0 on n1 spec=2";
    assert_snapshot!(mended(&format!("{web} · {garbage}")), @"roster web.api 0=v1.1+v2 1=v2.0 2=v1.0+v2");
    // One of the placements cannot be read either.
    assert_snapshot!(mended(&format!("{web} · {garbage} · garbage /placements/n1/default/web.api.2-v1.0")), @"roster web.api 0=v1.1+v2 1=v2.0 2=v1.0+v2");
    // Which instances of a batch job are complete nobody can tell, until it is applied again.
    let sum =
        "node n1 · job web type=batch count=2 · place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running";
    assert_snapshot!(mended(&format!("{sum} · {garbage}")), @r#"
    note web: the roster of group "api" cannot be read: which of its instances are complete is not known; apply the job again to run it anew
    note web: the roster of group "api" cannot be read: which of its instances are complete is not known; apply the job again to run it anew
    note web: the roster of group "api" cannot be read: which of its instances are complete is not known; apply the job again to run it anew
    "#);
    assert_snapshot!(mended(&format!("{sum} · {garbage} · job web type=batch count=2")), @"roster web.api 0-1=v1.0");
    assert_snapshot!(mended(&format!("node n1 · node n2 · job web type=system · place web.api.n1-v1.3 on n1 · {garbage}")), @r"
    deployment web v1 running api=1/1/0/0@+600
    roster web.api every=v1.0 n1=v1.3
    wake at +600
    wake at +600
    wake at +600
    ");
}

#[test]
fn a_rollout_that_cannot_be_read_is_derived_from_its_instances() {
    let picture = "version web v1 count=3 image=1 max_parallel=1 · job web v2 count=3 image=2 max_parallel=1 auto_revert
        node n1 · deployment web v1 successful";
    let garbage = "garbage /deployments/default/web/2";
    assert_snapshot!(mended(&format!("{picture} · roster web.api 0=v2.0 1-2=v1.0 · {garbage}")), @"deployment web v2 running api=3/0/0/0");
    assert_snapshot!(mended(&format!("{picture} · roster web.api 0=v2.1+v1 1-2=v1.0 · {garbage}")), @r"
        job web v3
        version web v3: deployment controller went from 2 back to 1: its document could not be read and was derived from the instances
        deployment web v2 failed reverted_to=1: its document could not be read and was derived from the instances
        note web: version 2 failed: going back
        deployment web v3 running api=3/0/0/0
        roster web.api 0=v2.1+v3 1-2=v1.0+v3
        ");
    assert_snapshot!(mended("job web type=batch · roster web.api 0=v1.0 · garbage /deployments/default/web/1"), @"delete /deployments/default/web/1");
    assert_snapshot!(mended("job web v2 · roster web.api 0=v2.0 · deployment web v2 successful api=1/1/1/0 · garbage /deployments/default/web/1"), @"deployment web v1 cancelled: version 2 took over");
}

#[test]
fn a_version_that_cannot_be_read_replaces_nothing_and_the_current_one_is_written_anew() {
    let picture =
        "version web v1 count=2 image=1 · job web v2 count=2 image=2 · node n1 · roster web.api 0-1=v1.0";
    assert_snapshot!(mended(&format!("{picture} · garbage /versions/default/web/1")), @"");
    let picture = "job web v2 · roster web.api 0=v2.0 · deployment web v2 successful api=1/1/1/0";
    assert!(
        mended(&format!("{picture} · garbage /versions/default/web/2"))
            .starts_with("put /versions/default/web/2 {")
    );
}

#[test]
fn of_a_job_that_cannot_be_read_nothing_is_taken_away() {
    let picture = "job web · roster web.api 0=v1.0 · deployment web v1 running api=1/0/0/0";
    assert_eq!(
        mended(&format!("{picture} · garbage /jobs/default/web")),
        "note web: the job cannot be read\n".repeat(3)
    );
}

#[test]
fn a_job_is_deleted_whatever_of_it_cannot_be_read() {
    let parts = ["/rosters/default/web/api", "/deployments/default/web/1", "/versions/default/web/1"];
    for part in parts {
        let picture = format!(
            "job web deleted · roster web.api 0=v1.0 · deployment web v1 running api=1/0/0/0 · garbage {part}"
        );
        let mut view = fixture::read(&picture);
        for _ in 0..3 {
            for root in Deployer.all_roots(&view) {
                let plan = Deployer.plan(&view, &root, fixture::at(0));
                fixture::apply(&mut view, &plan, |_| ()).unwrap();
            }
        }
        assert!(view.jobs.is_empty() && view.rosters.is_empty() && view.unreadable.is_empty(), "{part}");
    }
    // A placement that may be its own holds it.
    let held = decide("node n1 · job web deleted · garbage /placements/n1/default/web.api.0-v1.0", 0);
    assert_snapshot!(held, @"note web: 1 allocations have not ended yet");
}

#[test]
fn a_roster_that_is_missing_beside_what_runs_is_derived_from_it() {
    let job = "node n1 · job web count=2 · deployment web v1 successful api=2/2/2/0";
    let runs = "place web.api.0-v1.3 on n1 · place web.api.1-v1.0 on n1";
    assert_snapshot!(decide(&format!("{job} · {runs}"), 10), @"roster web.api 0=v1.3 1=v1.0");
    let told = "place web.api.0-v1.3 on n1 stop=old";
    assert_snapshot!(decide(&format!("{job} · {told}"), 10), @"roster web.api 0-1=v1.0");
}

#[test]
fn a_job_whose_document_alone_is_missing_was_not_deleted() {
    let left = "version web v1 · roster web.api 0=v1.0 · place web.api.0-v1.0 on n1";
    assert_snapshot!(decide(left, 10), @"note web: its document is missing, but not its versions: apply it again");
    assert_snapshot!(decide("roster web.api 0=v1.0 · place web.api.0-v1.0 on n1", 10), @"delete /rosters/default/web/api");
}
