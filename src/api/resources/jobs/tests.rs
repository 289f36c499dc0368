//! What is said of jobs that have nothing: all of none is neither healthy nor placed nor complete by itself.

use insta::assert_snapshot;
use jiff::Timestamp;
use plan::fixture::read;

use super::*;
use crate::events::Events;

/// The phase of the only job and its conditions, as `type=status(reason): message`.
fn told(picture: &str) -> String {
    let (view, events) = (read(picture), Events::default());
    let scene = Scene { view: &view, events: &events, explains: true, now: Timestamp::UNIX_EPOCH };
    let job = view.jobs.iter().next().map(|(_, stored)| &stored.value).unwrap();
    let status = status(&scene, job, None);
    let conditions = status.conditions.iter().map(|condition| {
        let Condition { kind, status, reason, message, .. } = condition;
        format!("{kind}={status}({reason}): {message}")
    });
    [status.phase.clone()].into_iter().chain(conditions).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_system_job_without_a_node_is_not_placed() {
    let picture = r#"node n1 meta.zone=a · job logs type=system constraint="${meta.zone} = b" · roster logs.api every=v1.0"#;
    assert_snapshot!(told(picture), @r"
    pending
    Available=False(NoNode): 0 of 0 allocations are healthy
    Placed=False(NoNode): no node fits; api: considered 1 nodes: 1 constraint `${meta.zone} = b`
    ");
    // One of its groups has a node, the other has none.
    let both = r#"node n1 meta.zone=a · job logs type=system · roster logs.api every=v1.0 · roster logs.b every=v1.0
        group logs b constraint="${meta.zone} = b" · place logs.api.n1-v1.0 on n1
        report logs.api.n1-v1.0 running healthy"#;
    assert_snapshot!(told(both), @r"
    running
    Available=False(NoNode): 1 of 1 allocations are healthy
    Placed=False(NoNode): no node fits group b; b: considered 1 nodes: 1 constraint `${meta.zone} = b`
    ");
    let batch =
        r#"node n1 · job logs type=sysbatch constraint="${meta.zone} = b" · roster logs.api every=v1.0"#;
    assert_snapshot!(told(batch), @r"
    pending
    Complete=False(NoNode): 0 of 0 allocations are complete, 0 failed
    Placed=False(NoNode): no node fits; api: considered 1 nodes: 1 constraint `${meta.zone} = b`
    ");
}

#[test]
fn a_job_scaled_to_0_is_over() {
    assert_snapshot!(told("node n1 · job web count=0 · roster web.api"), @r"
    dead
    Available=True(ScaledToZero): every group is scaled to 0
    Placed=True(NothingWanted): no instance is wanted
    ");
    assert_snapshot!(told("node n1 · job logs type=system count=0 · roster logs.api"), @r"
    dead
    Available=True(ScaledToZero): every group is scaled to 0
    Placed=True(NothingWanted): no instance is wanted
    ");
    assert_snapshot!(told("node n1 · job etl type=batch count=0 · roster etl.api"), @r"
    dead
    Complete=True(ScaledToZero): no instance is wanted
    Placed=True(NothingWanted): no instance is wanted
    ");
    // What is left of it has not ended.
    let ending = "node n1 · job web count=0 · roster web.api · place web.api.0-v1.0 on n1 stop=smaller
        report web.api.0-v1.0 running";
    assert_snapshot!(told(ending), @r"
    running
    Available=True(ScaledToZero): every group is scaled to 0, 1 more still run
    Placed=True(NothingWanted): no instance is wanted
    ");
}
