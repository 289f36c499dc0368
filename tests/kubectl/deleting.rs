//! delete, with and without waiting.

use plan::Write;
use schemas::key::Key;

use super::stand::{Stand, WEB};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_gone_when_its_controller_says_so() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["create", "-f", "-"]).await;
    assert_eq!(
        stand.run(&["delete", "job", "web", "--wait=false"]).await,
        "job.encamp.dev \"web\" deleted\n"
    );
    assert_ne!(stand.get("{.metadata.deletionTimestamp}").await, "");
    let mut lines = stand.lines(&["delete", "job", "web", "--timeout=20s"]);
    assert_eq!(lines.next().await, "job.encamp.dev \"web\" deleted");
    stand.write(vec![Write::Delete { key: Key::job("default", "web") }]).await;
    lines.end().await;
    assert!(stand.fail(&["get", "job", "web"]).await.contains("NotFound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_to_delete_is_refused() {
    let stand = Stand::start().await;
    let refused = stand.fail(&["delete", "namespace", "default"]).await;
    assert!(refused.contains("MethodNotAllowed"), "{refused}");
}
