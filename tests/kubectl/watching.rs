//! get -w and wait.

use plan::Write;
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::key::Key;
use schemas::roster::{Roster, Slot, SlotState};

use super::stand::{Stand, WEB, words};

fn complete() -> Vec<Write> {
    let slot = Slot { state: SlotState::Complete, ..Slot::new(1) };
    let roster = Roster::of_numbered([(0, slot.clone()), (1, slot)]);
    let rollout = Deployment { status: DeploymentStatus::Successful, ..Deployment::default() };
    vec![
        Write::put(Key::roster("default", "web", "api"), &roster),
        Write::put(Key::deployment("default", "web", 1), &rollout),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_prints_each_change() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["create", "-f", "-"]).await;
    let mut lines = stand.lines(&["get", "jobs", "-w", "--no-headers"]);
    let first = lines.next().await;
    assert_eq!(words(&first, 0)[..2], ["web", "service"]);
    stand.run(&["patch", "job", "web", "--type", "merge", "-p", r#"{"spec":{"priority":70}}"#]).await;
    assert_eq!(words(&lines.next().await, 0)[2], "70");
    stand.run_with(&WEB.replace("name: web", "name: db"), &["create", "-f", "-"]).await;
    assert_eq!(words(&lines.next().await, 0)[0], "db");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_waits_for_a_condition_or_a_value() {
    let stand = Stand::start().await;
    stand.run_with(&WEB.replace("spec:\n", "spec:\n  type: batch\n"), &["create", "-f", "-"]).await;
    let waiting = stand.run(&["wait", "job/web", "--for=condition=Complete", "--timeout=20s"]);
    let value = stand.run(&["wait", "job/web", "--for=jsonpath={.status.phase}=dead", "--timeout=20s"]);
    let (waited, reached, ()) = tokio::join!(waiting, value, stand.write(complete()));
    assert_eq!(waited, "job.encamp.dev/web condition met\n");
    assert_eq!(reached, "job.encamp.dev/web condition met\n");
}
