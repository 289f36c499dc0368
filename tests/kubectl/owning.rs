//! Server-side apply: who owns which field.

use super::stand::{Stand, WEB};

const APPLY: &[&str] = &["apply", "--server-side", "-f", "-"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scaled_count_survives_an_apply_that_does_not_name_it() {
    let stand = Stand::start().await;
    let countless = WEB.replace("    count: 2\n", "");
    assert_eq!(stand.run_with(&countless, APPLY).await, "job.encamp.dev/web serverside-applied\n");
    assert_eq!(stand.count().await, "1");
    stand.run(&["scale", "job", "web", "--replicas", "4"]).await;
    stand.run_with(&countless, APPLY).await;
    assert_eq!(stand.count().await, "4");
    let version = stand.get("{.metadata.generation}").await;
    stand.run_with(&countless, APPLY).await;
    assert_eq!(stand.get("{.metadata.generation}").await, version, "applying the same writes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_take_a_field_of_another_is_a_conflict_unless_forced() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &[APPLY, &["--field-manager", "one"]].concat()).await;
    let more = WEB.replace("count: 2", "count: 3");
    let other = [APPLY, &["--field-manager", "two"]].concat();
    let refused = stand.fail_with(&more, &other).await;
    assert!(refused.contains("conflict with \"one\""), "{refused}");
    assert!(refused.contains(".spec.groups[name=\"api\"].count"), "{refused}");
    stand.run_with(&more, &[&other[..], &["--force-conflicts"]].concat()).await;
    assert_eq!(stand.count().await, "3");
    let owners = stand
        .run(&[
            "get",
            "job",
            "web",
            "--show-managed-fields",
            "-o",
            "jsonpath={.metadata.managedFields[*].manager}",
        ])
        .await;
    assert_eq!(owners, "one two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_applied_goes() {
    let stand = Stand::start().await;
    let two = WEB.replace("spec:\n", "spec:\n  meta: {a: '1', b: '2'}\n");
    stand.run_with(&two, APPLY).await;
    assert_eq!(stand.get("{.spec.meta}").await, r#"{"a":"1","b":"2"}"#);
    stand.run_with(&two.replace(", b: '2'", ""), APPLY).await;
    assert_eq!(stand.get("{.spec.meta}").await, r#"{"a":"1"}"#);
    stand.run_with(WEB, APPLY).await;
    assert_eq!(stand.get("{.spec.meta}{.metadata.labels.app}").await, "web");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_applied_by_the_client_is_taken_over_by_the_server() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["apply", "-f", "-"]).await;
    let more = WEB.replace("count: 2", "count: 6");
    stand.run_with(&more, APPLY).await;
    assert_eq!(stand.count().await, "6");
}
