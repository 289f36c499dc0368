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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_change_of_an_outer_block_reaches_the_groups() {
    let stand = Stand::start().await;
    let job =
        |parallel: u32| WEB.replace("spec:\n", &format!("spec:\n  update: {{maxParallel: {parallel}}}\n"));
    stand.run_with(&job(2), APPLY).await;
    assert_eq!(stand.parallel(1).await, "2");
    stand.run_with(&job(5), APPLY).await;
    assert_eq!(stand.parallel(2).await, "5");
    // So it is for those who apply on their own side, patch, or say nothing any more.
    stand
        .run(&["patch", "job", "web", "--type", "merge", "-p", r#"{"spec":{"update":{"maxParallel":7}}}"#])
        .await;
    assert_eq!(stand.parallel(3).await, "7");
    stand.run(&["patch", "job", "web", "--type", "merge", "-p", r#"{"spec":{"update":null}}"#]).await;
    assert_eq!(stand.parallel(4).await, "1");
    assert_eq!(stand.get("{.spec.groups[0].update}").await, "", "nobody wrote it into the group");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_spelling_of_the_same_is_no_conflict() {
    let stand = Stand::start().await;
    let job = |grace: &str| WEB.replace("    tasks:", &format!("    shutdownDelay: {grace}\n    tasks:"));
    stand.run_with(&job("300s"), &["apply", "-f", "-"]).await;
    stand.run_with(&job("5m"), &[APPLY, &["--field-manager", "two"]].concat()).await;
    assert_eq!(stand.get("{.metadata.generation}").await, "1");
}
