//! apply, diff, patch, label, annotate, edit, replace, scale, and what is refused.

use super::stand::{Stand, WEB};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_side_apply_changes_what_differs() {
    let stand = Stand::start().await;
    assert_eq!(stand.run_with(WEB, &["apply", "-f", "-"]).await, "job.encamp.dev/web created\n");
    // kubectl compares lists as a whole: it sees that nothing changes since what is shown is as it was written.
    let before = stand.get("{.metadata.resourceVersion}").await;
    assert_eq!(stand.run_with(WEB, &["apply", "-f", "-"]).await, "job.encamp.dev/web unchanged\n");
    assert_eq!(stand.get("{.metadata.resourceVersion}").await, before);
    let more = WEB.replace("count: 2", "count: 3");
    let diff = stand.feed(&more, &["diff", "-f", "-"]).await;
    assert_eq!(diff.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&diff.stdout).contains("+  - count: 3"), "{diff:?}");
    let dry = stand.run_with(&more, &["apply", "-f", "-", "--dry-run=server"]).await;
    assert_eq!(dry, "job.encamp.dev/web configured (server dry run)\n");
    assert_eq!(stand.count().await, "2");
    assert_eq!(stand.run_with(&more, &["apply", "-f", "-"]).await, "job.encamp.dev/web configured\n");
    assert_eq!(stand.count().await, "3");
    assert_eq!(stand.feed(&more, &["diff", "-f", "-"]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_changes_are_made_in_every_way() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["create", "-f", "-"]).await;
    stand.run(&["label", "job", "web", "tier=front"]).await;
    stand.run(&["annotate", "job", "web", "note=hello"]).await;
    assert_eq!(
        stand.get("{.metadata.labels.tier} {.metadata.annotations.note} {.metadata.generation}").await,
        "front hello 1"
    );
    stand.run(&["patch", "job", "web", "--type", "merge", "-p", r#"{"spec":{"priority":60}}"#]).await;
    assert_eq!(stand.get("{.spec.priority} {.metadata.generation}").await, "60 2");
    let json = r#"[{"op":"replace","path":"/spec/priority","value":61}]"#;
    stand.run(&["patch", "job", "web", "--type", "json", "-p", json]).await;
    assert_eq!(stand.get("{.spec.priority}").await, "61");
    assert_eq!(stand.run(&["scale", "job", "web", "--replicas", "5"]).await, "job.encamp.dev/web scaled\n");
    assert_eq!(stand.count().await, "5");
    let edit = "KUBE_EDITOR";
    let edited =
        stand.run_env((edit, "sed -i s/priority:.61/priority:\\ 62/"), &["edit", "job", "web"]).await;
    assert_eq!(edited, "job.encamp.dev/web edited\n");
    assert_eq!(stand.get("{.spec.priority}").await, "62");
    let whole = stand.run(&["get", "job", "web", "-o", "yaml"]).await.replace("priority: 62", "priority: 63");
    assert_eq!(stand.run_with(&whole, &["replace", "-f", "-"]).await, "job.encamp.dev/web replaced\n");
    assert_eq!(stand.get("{.spec.priority}").await, "63");
    // The text that was read is old now.
    let stale = stand.fail_with(&whole, &["replace", "-f", "-"]).await;
    assert!(stale.contains("the object has been modified"), "{stale}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_at_its_field() {
    let stand = Stand::start().await;
    let unknown = stand.fail_with(&WEB.replace("count: 2", "cuont: 2"), &["create", "-f", "-"]).await;
    assert!(unknown.contains("unknown field \"spec.groups[0].cuont\""), "{unknown}");
    let warned =
        stand.feed(&WEB.replace("count: 2", "cuont: 2"), &["create", "--validate=warn", "-f", "-"]).await;
    assert!(warned.status.success());
    assert!(String::from_utf8_lossy(&warned.stderr).contains("Warning: unknown field"), "{warned:?}");
    let driver = stand.fail_with(&WEB.replace("raw_exec", "rawexec"), &["apply", "-f", "-"]).await;
    assert!(driver.contains("The Job \"web\" is invalid"), "{driver}");
    assert!(driver.contains("spec.groups[0].tasks[0].driver"), "{driver}");
    assert!(stand.fail_with(WEB, &["create", "-f", "-"]).await.contains("already exists"));
}
