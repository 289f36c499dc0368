//! Discovery, get, describe, explain.

use super::stand::{Stand, WEB, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_discovered() {
    let stand = Stand::start().await;
    let resources = stand.run(&["api-resources", "--api-group", "encamp.dev", "--no-headers"]).await;
    let kinds: Vec<&str> = resources.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(kinds, ["Allocation", "Deployment", "Event", "Job", "JobVersion", "Node"]);
    let versions = stand.run(&["api-versions"]).await;
    assert_eq!(versions, "authentication.k8s.io/v1\nauthorization.k8s.io/v1\nencamp.dev/v1\nv1\n");
    assert!(stand.run(&["version", "-o", "json"]).await.contains("encamp"));
    assert_eq!(stand.run(&["get", "--raw", "/readyz"]).await, "ok");
    assert!(stand.run(&["get", "namespaces"]).await.contains("default   Active"));
    assert_eq!(stand.run(&["auth", "can-i", "create", "jobs.encamp.dev"]).await, "yes\n");
    assert!(stand.run(&["auth", "whoami"]).await.contains("anonymous"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_are_explained() {
    let stand = Stand::start().await;
    let group = stand.run(&["explain", "jobs.spec.groups"]).await;
    assert!(group.contains("FIELD: groups <[]Group>") && group.contains("count\t<integer>"), "{group}");
    let all = stand.run(&["explain", "jobs", "--recursive"]).await;
    assert!(all.contains("killTimeout\t<string>"), "{all}");
    let status = stand.run(&["explain", "allocation.status.phase"]).await;
    assert!(status.contains("lost"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_shown_in_every_form() {
    let stand = Stand::start().await;
    assert_eq!(stand.run_with(WEB, &["create", "-f", "-"]).await, "job.encamp.dev/web created\n");
    stand.run_with(&WEB.replace("name: web", "name: db"), &["create", "-n", "team", "-f", "-"]).await;
    let table = stand.run(&["get", "jobs"]).await;
    assert_eq!(words(&table, 0), ["NAME", "TYPE", "PRIORITY", "STATUS", "READY", "VERSION", "AGE"]);
    assert_eq!(words(&table, 1)[..6], ["web", "service", "50", "pending", "0/2", "1"]);
    let wide = stand.run(&["get", "jobs", "-o", "wide"]).await;
    assert_eq!(words(&wide, 0)[7..], ["DATACENTERS", "POOL", "MESSAGE"]);
    let everywhere = stand.run(&["get", "jobs", "-A", "--no-headers", "--sort-by", ".metadata.name"]).await;
    assert_eq!((words(&everywhere, 0)[1], words(&everywhere, 1)[1]), ("db", "web"));
    assert_eq!(
        stand.run(&["get", "jobs", "-A", "-o", "name", "-l", "app in (web),!x"]).await,
        "job.encamp.dev/web\njob.encamp.dev/db\n"
    );
    assert_eq!(
        stand.run(&["get", "jobs", "-A", "-o", "name", "--field-selector", "metadata.name=db"]).await,
        "job.encamp.dev/db\n"
    );
    assert_eq!(stand.run(&["get", "job", "web", "-o", "jsonpath={.spec.groups[0].count}"]).await, "2");
    // What nobody wrote is shown too.
    let template = "go-template={{.spec.type}} {{.spec.priority}} {{.spec.nodePool}}";
    assert_eq!(stand.run(&["get", "job", "web", "-o", template]).await, "service 50 default");
    let services = ["get", "jobs", "-o", "name", "--field-selector", "spec.type=service"];
    assert_eq!(stand.run(&services).await, "job.encamp.dev/web\n");
    let columns = "custom-columns=N:.metadata.name,G:.metadata.generation";
    assert_eq!(words(&stand.run(&["get", "jobs", "-o", columns]).await, 1), ["web", "1"]);
    let yaml = stand.run(&["get", "job", "web", "-o", "yaml"]).await;
    assert!(yaml.starts_with("apiVersion: encamp.dev/v1\nkind: Job\n"), "{yaml}");
    let versions = stand.run(&["get", "jobversions", "--no-headers"]).await;
    assert_eq!(words(&versions, 0)[..4], ["web-v1", "web", "1", "true"]);
    let missing = stand.fail(&["get", "job", "nothing"]).await;
    assert_eq!(missing, "Error from server (NotFound): jobs.encamp.dev \"nothing\" not found\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_come_in_pages() {
    let stand = Stand::start().await;
    for number in 0..7 {
        stand
            .run_with(&WEB.replace("name: web", &format!("name: web-{number}")), &["create", "-f", "-"])
            .await;
    }
    let all = stand.run(&["get", "jobs", "-o", "name", "--chunk-size", "3"]).await;
    assert_eq!(all.lines().count(), 7, "{all}");
    let page = stand.run(&["get", "--raw", "/apis/encamp.dev/v1/jobs?limit=3"]).await;
    assert!(page.contains("\"remainingItemCount\":4"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn describe_shows_events_and_the_reason_for_waiting() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["create", "-f", "-"]).await;
    let described = stand.run(&["describe", "job", "web"]).await;
    assert!(described.contains("version 1 was registered"), "{described}");
    assert!(
        described.contains("2 of 2 allocations have no node yet; api: considered 0 nodes"),
        "{described}"
    );
    assert!(stand.run(&["get", "events"]).await.contains("Registered"));
}
