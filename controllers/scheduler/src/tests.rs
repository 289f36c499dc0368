//! Pictures of a cluster and of where the scheduler puts things.

use insta::assert_snapshot;
use jiff::Timestamp;
use plan::fixture::{apply, at, effects, read};
use plan::{Controller, Plan, View, Write};
use schemas::key::Key;

use crate::Scheduler;

mod allowed;
mod loss;
mod ports;
mod system;

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

#[test]
fn nothing_stops_for_a_successor_without_room() {
    let picture = |memory: u32| {
        format!(
            "node n1 memory=100 · node n2 memory=150 · version web v1 memory=100
            job web v2 image=2 memory={memory} · roster web.api 0=v2.0
            place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy"
        )
    };
    assert_snapshot!(decide(&picture(160)), @r"
        note web.api: 1 wait: considered 2 nodes: 2 short of memory; nearest n2: 10 MB of memory short, n1: 160 MB of memory short
        ");
    assert_snapshot!(decide(&picture(150)), @r"
        stop web.api.0-v1.0 on n1: replaced by v2
        then
        + web.api.0-v2.0 on n2
        ");
    assert_snapshot!(decide(&format!("{} · node n2 memory=150 ineligible", picture(150))), @r"
        note web.api: 1 wait: considered 2 nodes: 1 short of memory, 1 not eligible; nearest n1: 150 MB of memory short
        ");
    assert_snapshot!(decide(&format!("{} · node n1 memory=100 down", picture(160))), @r"
        stop web.api.0-v1.0 on n1: replaced by v2
        note web.api: 1 wait: considered 2 nodes: 1 short of memory, 1 not ready; nearest n2: 10 MB of memory short
        ");
    assert_snapshot!(decide(&format!("{} · job web v2 stop · roster web.api", picture(160))), @r"stop web.api.0-v1.0 on n1: the job is stopped");
    let shared =
        "node n1 memory=300 · version web v1 count=3 memory=60 · job web v2 count=3 image=2 memory=130
        roster web.api 0-2=v2.0 · place web.api.0-v1.0 on n1 · place web.api.1-v1.0 on n1
        place web.api.2-v1.0 on n1 · report web.api.0-v1.0 running · report web.api.1-v1.0 running
        report web.api.2-v1.0 running";
    assert_snapshot!(decide(shared), @r"
        stop web.api.0-v1.0 on n1: replaced by v2
        note web.api: 3 wait: considered 1 nodes: 1 short of memory; nearest n1: 10 MB of memory short
        ");
    assert_snapshot!(decide(&format!("{shared} · place web.api.0-v1.0 on n1 stop=x · report web.api.0-v1.0 complete")), @r"
        + web.api.0-v2.0 on n1
        note web.api: 2 wait: considered 1 nodes: 1 short of memory; nearest n1: 80 MB of memory short
        ");
    let port =
        "node n1 · version web v1 ports=http:80 · job web v2 image=2 ports=http:80 · roster web.api 0=v2.0
        place web.api.0-v1.0 on n1 port.http=80 · report web.api.0-v1.0 running";
    assert_snapshot!(decide(port), @r"
        stop web.api.0-v1.0 on n1: replaced by v2
        note web.api: 1 wait: considered 1 nodes: 1 short of port 80; nearest n1: port 80 is taken
        ");
    let hosts = "node n1 · node n2 · version web v1 count=2 distinct_hosts
        job web v2 count=2 image=2 distinct_hosts · roster web.api 0=v2.0 1=v1.0
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running
        place web.api.1-v1.0 on n2 · report web.api.1-v1.0 running";
    assert_snapshot!(decide(hosts), @r"
        stop web.api.0-v1.0 on n1: replaced by v2
        then
        + web.api.0-v2.0 on n1
        ");
}

#[test]
fn what_moves_away_from_its_neighbours_stops_only_for_a_place_of_its_own() {
    let picture = "node n1 · node n2 · version web v1 count=3 · job web v2 count=3 distinct_hosts
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy
        place web.api.1-v1.0 on n1 · report web.api.1-v1.0 running healthy
        place web.api.2-v1.0 on n1 · report web.api.2-v1.0 running healthy";
    assert_snapshot!(decide(&format!("{picture} · roster web.api 0=v1.0+v2 1-2=v2.0")), @r"
        update web.api.0-v1.0 on n1 to v2
        stop web.api.1-v1.0 on n1: replaced by v2
        then
        + web.api.1-v2.0 on n2
        note web.api: 1 wait: considered 2 nodes: 2 distinct_hosts
        ");
    let alone = "node n1 · version web v1 · job web v2 distinct_hosts · roster web.api 0=v1.0+v2 1=v2.0
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy
        place web.api.1-v1.0 on n1 · report web.api.1-v1.0 running healthy";
    assert_snapshot!(decide(alone), @r"
        update web.api.0-v1.0 on n1 to v2
        note web.api: 1 wait: considered 1 nodes: 1 distinct_hosts
        ");
}

#[test]
fn a_node_that_fits_no_more_says_so_and_gets_its_instance_when_it_fits_again() {
    let picture = r#"node n1 meta.zone=a · node n2 meta.zone=b · version logs v1 type=system
        job logs v2 type=system image=2 constraint="${meta.zone} = b" · roster logs.api every=v2.0
        place logs.api.n1-v1.0 on n1 · report logs.api.n1-v1.0 running healthy
        place logs.api.n2-v1.0 on n2 · report logs.api.n2-v1.0 running healthy"#;
    assert_snapshot!(decide(picture), @r"
        stop logs.api.n1-v1.0 on n1: replaced by v2, which the node does not fit
        stop logs.api.n2-v1.0 on n2: replaced by v2
        then
        + logs.api.n2-v2.0 on n2
        ");
    let gone = r#"place logs.api.n1-v1.0 on n1 stop="it does not fit" unfit · report logs.api.n1-v1.0 complete
        place logs.api.n2-v1.0 on n2 stop="replaced" · report logs.api.n2-v1.0 complete"#;
    assert_snapshot!(decide(&format!("{picture} · {gone} · node n1 meta.zone=b")), @r"
        + logs.api.n1-v2.0 on n1
        + logs.api.n2-v2.0 on n2
        ");
}

#[test]
fn preferences_move_instances_where_people_like_them() {
    let nodes = "node n1 dc=dc1 meta.disk=hdd · node n2 dc=dc2 meta.disk=ssd · node n3 dc=dc2";
    let job = r#"job web count=2 affinity="${meta.disk} = ssd 100" · roster web.api 0-1=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {job}")), @"
    + web.api.0-v1.0 on n2
    + web.api.1-v1.0 on n1
    ");
    let against = r#"job web count=1 affinity="${node.datacenter} = dc1 -50" · roster web.api 0=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {against}")), @"+ web.api.0-v1.0 on n2");
}

#[test]
fn spreads_fill_the_values_of_an_attribute_as_asked() {
    let nodes = "node a1 dc=a · node a2 dc=a · node a3 dc=a · node b1 dc=b";
    let even = r#"job web count=4 spread="${node.datacenter} 100" · roster web.api 0-3=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {even}")), @"
    + web.api.0-v1.0 on a1
    + web.api.1-v1.0 on b1
    + web.api.2-v1.0 on a1
    + web.api.3-v1.0 on b1
    ");
    let shares = r#"job web count=4 spread="${node.datacenter} 100 a=75,b=25" · roster web.api 0-3=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {shares}")), @"
    + web.api.0-v1.0 on a1
    + web.api.1-v1.0 on a2
    + web.api.2-v1.0 on a3
    + web.api.3-v1.0 on b1
    ");
}

#[test]
fn distinct_rules_hold_whatever_the_score() {
    let nodes = "node a1 dc=a · node a2 dc=a · node b1 dc=b";
    let hosts = "job web count=4 distinct_hosts · roster web.api 0-3=v1.0";
    assert_snapshot!(decide(&format!("{nodes} · {hosts}")), @"
    + web.api.0-v1.0 on a1
    + web.api.1-v1.0 on a2
    + web.api.2-v1.0 on b1
    note web.api: 1 wait: considered 3 nodes: 3 distinct_hosts
    ");
    let property =
        r#"job web count=3 constraint="${node.datacenter} distinct_property 1" · roster web.api 0-2=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {property}")), @"
    + web.api.0-v1.0 on a1
    + web.api.1-v1.0 on b1
    note web.api: 1 wait: considered 3 nodes: 3 ${node.datacenter} distinct_property 1
    ");
}

#[test]
fn constraints_drivers_and_volumes_say_where_at_all() {
    let nodes =
        "node n1 attr.kernel.name=linux volume=data · node n2 attr.kernel.name=linux · node n3 volume=data";
    let job =
        r#"job web count=1 volume=data constraint="${attr.kernel.name} = linux" · roster web.api 0=v1.0"#;
    assert_snapshot!(decide(&format!("{nodes} · {job}")), @"+ web.api.0-v1.0 on n1");
    let none = "job web count=1 driver=qemu · roster web.api 0=v1.0";
    assert_snapshot!(decide(&format!("{nodes} · {none}")), @"note web.api: 1 wait: considered 3 nodes: 3 missing driver `qemu`");
    let waiting = "node n1 ineligible · node n2 unheard · job web pool=gpu · roster web.api 0=v1.0";
    assert_snapshot!(decide(waiting), @"note web.api: 1 wait: considered 2 nodes: 1 not eligible, 1 not ready");
}

#[test]
fn ports_and_cores_have_one_owner() {
    let picture = "node n1 cpu=4000 cores=4 dynamic=20000-20000 · node n2 cpu=4000 cores=2 reserved=8080
        job web count=2 ports=http,admin:8080 · roster web.api 0-1=v1.0
        job sum type=batch count=2 cores=1 · roster sum.api 0-1=v1.0";
    assert_snapshot!(decide(picture), @"
    + sum.api.0-v1.0 on n2 cores=[0]
    + sum.api.1-v1.0 on n1 cores=[0]
    + web.api.0-v1.0 on n1 port.http=20000 port.admin=8080
    note web.api: 1 wait: considered 2 nodes: 2 short of port 8080; nearest n1: port 8080 is taken, n2: port 8080 is taken
    ");
}

#[test]
fn a_failed_instance_goes_elsewhere_if_it_can() {
    let failed = "node n1 · node n2 · job web count=1 · roster web.api 0=v1.1!1
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 failed";
    assert_snapshot!(decide(failed), @"+ web.api.0-v1.1 on n2");
    assert_snapshot!(decide(&format!("{failed} · health n2 down")), @"+ web.api.0-v1.1 on n1");
}

#[test]
fn an_update_in_place_keeps_the_instance_unless_its_node_no_longer_fits() {
    let running = "node n1 meta.zone=a · node n2 meta.zone=b · version web v1 · roster web.api 0=v1.0+v2
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy";
    assert_snapshot!(decide(&format!("{running} · job web v2 priority=60")), @"update web.api.0-v1.0 on n1 to v2");
    assert_snapshot!(decide(&format!(r#"{running} · job web v2 constraint="${{meta.zone}} = b""#)), @"stop web.api.0-v1.0 on n1: the node does not fit v2: constraint `${meta.zone} = b`");
}

#[test]
fn important_jobs_come_first() {
    let picture = "node n1 memory=100 · job a priority=10 · job b priority=90 · job c priority=50
        roster a.api 0=v1.0 · roster b.api 0=v1.0 · roster c.api 0=v1.0";
    assert_snapshot!(decide(picture), @"
    + b.api.0-v1.0 on n1
    note c.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 100 MB of memory short
    note a.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 100 MB of memory short
    ");
}

#[test]
fn history_is_short_and_goes_with_its_job() {
    let one = |n: u32| format!("place web.api.0-v1.{n} on n1 · report web.api.0-v1.{n} failed");
    let ended = (0..9).map(one).collect::<Vec<_>>().join(" · ");
    assert_snapshot!(decide(&format!("node n1 · job web · roster web.api 0=v1.9 · {ended}")), @"
    forget web.api.0-v1.3 on n1
    forget web.api.0-v1.2 on n1
    forget web.api.0-v1.1 on n1
    forget web.api.0-v1.0 on n1
    then
    + web.api.0-v1.9 on n1
    ");
    let leaving = "place web.api.0-v1.0 on n1 · report web.api.0-v1.0 complete · place web.api.1-v1.0 on n1";
    assert_snapshot!(decide(&format!("node n1 · job web deleted · {leaving}")), @"
    stop web.api.1-v1.0 on n1: the job is deleted
    forget web.api.0-v1.0 on n1
    ");
}

#[test]
fn a_placement_that_cannot_be_read_is_written_as_its_slot_wants_it() {
    let picture =
        "node n1 dynamic=20000-20009 · node n2 · version web v1 · job web v2 count=2 ports=http,admin:8080
        roster web.api 0=v1.0+v2 1=v2.0";
    assert_snapshot!(decide(&format!("{picture} · place web.api.1-v2.0 on n2 · garbage /placements/n1/default/web.api.0-v1.0")), @"+ web.api.0-v1.0 on n1 spec=v2 port.http=20008 port.admin=8080");
    // No slot wants it: its agent gets a readable word.
    assert_snapshot!(decide("node n1 · job web · roster web.api 0=v1.1 · place web.api.0-v1.1 on n1
        garbage /placements/n1/default/web.api.0-v1.0 · garbage /placements/n1/default/db.api.0-v1.0"), @r"
        + db.api.0-v1.0 on n1 stop (its placement could not be read, and no slot wants it)
        + web.api.0-v1.0 on n1 stop (its placement could not be read, and no slot wants it)
        ");
    // What cannot be a placement of ours is nobody's.
    assert_snapshot!(decide("node n1 · garbage /placements/n1/default/foo · garbage /placements/n1"), @"");
}

#[test]
fn the_room_of_a_placement_that_cannot_be_read_is_taken() {
    let picture =
        "node n1 memory=250 · job web memory=200 · roster web.api 0=v1.0 · version web v1 memory=200
        garbage /placements/n1/default/web.api.0-v1.0 · job sum memory=100 · roster sum.api 0=v1.0";
    assert_snapshot!(decide(picture), @r"
    + web.api.0-v1.0 on n1
    note sum.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 50 MB of memory short
    ");
}

#[test]
fn nobody_stops_because_something_cannot_be_read() {
    let picture = "node n1 · node n2 · job web count=2 · version web v1 · roster web.api 0-1=v1.0
        place web.api.0-v1.0 on n1 · place web.api.1-v1.0 on n2 · job sum · roster sum.api 0=v1.0";
    let keys = [
        "/rosters/default/web/api",
        "/jobs/default/web",
        "/fingerprints/n2",
        "/health/n2",
        "/nodes/n2",
        "/reports/n1/0",
        "/versions/default/web/1",
        "/links/n1",
        "/beats/s1",
        "/leaders/scheduler",
        "/epoch",
        "/details/n1/default/web.api.0-v1.0",
        "/deployments/default/web/1",
        "/rosters/default",
        "/placements/x",
    ];
    for key in keys {
        assert_eq!(decide(&format!("{picture} · garbage {key}")), "+ sum.api.0-v1.0 on n1\n", "{key}");
    }
}

#[test]
fn a_successor_waits_for_what_cannot_be_read() {
    let picture = "node n1 · version web v1 · job web v2 image=2 · roster web.api 0=v2.0
        place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy";
    assert!(decide(picture).starts_with("stop web.api.0-v1.0"));
    let later = picture.replace("job web v2", "version web v2 image=2 · job web v3");
    for (picture, key) in [(picture, "/fingerprints/n1"), (&later, "/versions/default/web/2")] {
        let plan = decide(&format!("{picture} · garbage {key}"));
        assert!(!plan.contains("stop"), "{key}: {plan}");
    }
}

#[test]
fn a_roster_or_a_job_that_is_missing_stops_nothing() {
    let runs = "node n1 · job web count=1 · roster web.api 0=v1.0 · place web.api.0-v1.0 on n1";
    let roster = "delete /rosters/default/web/api";
    assert_snapshot!(decide(&format!("{runs} · {roster}")), @"");
    assert_snapshot!(decide(&format!("{runs} · version web v1 · {roster} · delete /jobs/default/web")), @"");
    assert_snapshot!(decide(&format!("{runs} · delete /jobs/default/web")), @"");
    let gone = "delete /jobs/default/web · delete /versions/default/web/1";
    assert_snapshot!(decide(&format!("{runs} · {roster} · {gone}")), @"stop web.api.0-v1.0 on n1: the job is gone");
    assert_snapshot!(decide(&format!("{runs} · job web stop · {roster}")), @"stop web.api.0-v1.0 on n1: the job is stopped");
}
