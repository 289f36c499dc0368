//! Pictures of a cluster and of what is foreseen.

use insta::assert_snapshot;
use plan::fixture::{at, read, write};
use plan::view::JobRef;
use plan::{View, Write};
use schemas::key::Key;

use super::{Outcome, forecast};

/// What is foreseen if the line of a job was written.
fn foresee(picture: &str, line: &str) -> String {
    let view = read(picture);
    let job = JobRef { namespace: "default".to_owned(), job: line.split(' ').nth(1).unwrap().to_owned() };
    let groups = forecast(view.clone(), &job, &writes(&view, &job, line), at(0));
    groups.iter().map(|(name, outcome)| shown(name, outcome)).collect::<Vec<_>>().join("\n")
}

/// What the line writes.
fn writes(view: &View, job: &JobRef, line: &str) -> Vec<Write> {
    let mut next = view.clone();
    write(&mut next, line);
    let key = Key::job(&job.namespace, &job.job);
    let document = next.jobs.get(&key).unwrap();
    let version = Key::version(&job.namespace, &job.job, document.version);
    vec![Write::put(key, document), Write::put(version.clone(), next.versions.get(&version).unwrap())]
}

fn shown(name: &str, outcome: &Outcome) -> String {
    let Outcome { create, in_place, destructive, stop, ignore, unplaced, why } = outcome;
    let counts = [
        ("create", create),
        ("in place", in_place),
        ("destructive", destructive),
        ("stop", stop),
        ("ignore", ignore),
        ("unplaced", unplaced),
    ];
    let words =
        counts.into_iter().filter(|(_, count)| **count > 0).map(|(word, count)| format!("{count} {word}"));
    let words = words.chain(why.clone()).collect::<Vec<_>>().join(", ");
    format!("{name}: {words}")
}

const RUNNING: &str = "node n1 · node n2 · job web v1 count=3 max_parallel=1 · roster web.api 0-2=v1.0
    deployment web v1 successful api=3/3/3/0
    place web.api.0-v1.0 on n1 · report web.api.0-v1.0 running healthy
    place web.api.1-v1.0 on n2 · report web.api.1-v1.0 running healthy
    place web.api.2-v1.0 on n1 · report web.api.2-v1.0 running healthy";

#[test]
fn counts_are_those_of_the_whole_rollout() {
    assert_snapshot!(foresee("node n1", "job web v1 count=3"), @r"api: 3 create");
    assert_snapshot!(foresee(RUNNING, "job web v1 count=3 max_parallel=1"), @r"api: 3 ignore");
    assert_snapshot!(foresee(RUNNING, "job web v2 count=3 image=2 max_parallel=1"), @r"api: 3 destructive");
    assert_snapshot!(foresee(RUNNING, "job web v2 count=4 priority=70"), @r"api: 1 create, 3 in place");
    assert_snapshot!(foresee(RUNNING, "job web v2 count=1 max_parallel=1"), @r"api: 1 in place, 2 stop");
    assert_snapshot!(foresee(RUNNING, "job web v2 count=3 stop"), @r"api: 3 stop");
    assert_snapshot!(foresee(RUNNING, "job web v2 group=other count=2"), @r"
        api: 3 stop
        other: 2 create
        ");
}

#[test]
fn what_finds_no_node_is_told_in_the_schedulers_words() {
    assert_snapshot!(foresee("node n1 memory=250", "job web v1 count=3 memory=100"), @r"
        api: 3 create, 1 unplaced, 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 50 MB of memory short
        ");
    assert_snapshot!(foresee(RUNNING, "job web v2 count=3 image=2 memory=99999 max_parallel=2"), @r"
        api: 2 destructive, 1 ignore, 2 unplaced, 2 wait: considered 2 nodes: 2 short of memory; nearest n2: 91907 MB of memory short, n1: 92007 MB of memory short
        ");
    assert_snapshot!(foresee("job batchy type=batch", "job web v1 count=1"), @r"api: 1 create, 1 unplaced, 1 wait: considered 0 nodes");
}

#[test]
fn rules_about_neighbours_are_told_as_the_moves_that_they_are() {
    assert_snapshot!(foresee(RUNNING, "job web v2 count=3 distinct_hosts max_parallel=1"), @r"
        api: 2 in place, 1 destructive, 1 unplaced, 1 wait: considered 2 nodes: 2 distinct_hosts
        ");
    let third = format!("{RUNNING} · node n3");
    assert_snapshot!(foresee(&third, "job web v2 count=3 distinct_hosts max_parallel=1"), @"api: 2 in place, 1 destructive");
}

#[test]
fn a_job_on_every_node_is_counted_by_the_nodes_that_take_it() {
    let nodes = "node n1 meta.zone=a · node n2 meta.zone=b · node n3 meta.zone=b memory=50";
    let in_b = r#"job logs v1 type=system memory=100 constraint="${meta.zone} = b""#;
    assert_snapshot!(foresee(nodes, in_b), @r"
        api: 1 create, 1 unplaced, waits for n3: 50 MB of memory short
        ");
    let running =
        "node n1 meta.zone=a · node n2 meta.zone=b · job logs v1 type=system · roster logs.api every=v1.0
        deployment logs v1 successful api=2/2/2/0
        place logs.api.n1-v1.0 on n1 · report logs.api.n1-v1.0 running healthy
        place logs.api.n2-v1.0 on n2 · report logs.api.n2-v1.0 running healthy";
    let nowhere = r#"job logs v1 type=system constraint="${meta.zone} = c""#;
    assert_snapshot!(foresee(nodes, nowhere), @"api: no node fits: considered 3 nodes: 3 constraint `${meta.zone} = c`");
    assert_snapshot!(foresee(nodes, "job logs v1 type=system count=0"), @"api: ");
    let only_b = r#"job logs v2 type=system constraint="${meta.zone} = b""#;
    assert_snapshot!(foresee(running, only_b), @r"api: 1 in place, 1 stop");
}

#[test]
fn many_are_foreseen_in_few_steps() {
    let nodes = (0..10).map(|node| format!("node n{node} cpu=999999 memory=999999"));
    let slots = "roster web.api 0-99=v1.0 · deployment web v1 successful".to_owned();
    let placed = (0..100).map(|number| {
        let node = number % 10;
        format!("place web.api.{number}-v1.0 on n{node} · report web.api.{number}-v1.0 running healthy")
    });
    let job = "job web v1 count=100 max_parallel=1".to_owned();
    let picture = nodes.chain([job, slots]).chain(placed).collect::<Vec<_>>().join("\n");
    assert_snapshot!(foresee(&picture, "job web v2 count=100 image=2 max_parallel=1"), @r"api: 100 destructive");
}
