//! Stock kubectl: discovery, reading in every output, writing in every way.

use std::fs;

use crate::{cluster::Cluster, kubectl::Kubectl, wait};

const YAML: &str = r#"
apiVersion: encamp.dev/v1
kind: Job
metadata:
  name: sleepy
  labels:
    team: night
spec:
  groups:
    - name: main
      count: 2
      tasks:
        - name: sleep
          driver: raw_exec
          config:
            command: /bin/sleep
            args: ["100000"]
          resources:
            cpu: 20
            memory: 16
"#;

/// Every verb that answers at once.
pub async fn reads_and_writes(cluster: Cluster) {
    let home = cluster.path("");
    let kubectl = Kubectl { address: cluster.api.address(), home: &home };
    let file = cluster.path("sleepy.yaml");
    fs::write(&file, YAML).expect("the file can be written");
    let file = file.to_str().expect("the path is plain text");

    let resources = kubectl.run(&["api-resources", "--api-group=encamp.dev"]);
    for kind in ["jobs", "allocations", "deployments", "nodes", "events"] {
        assert!(resources.lines().any(|line| line.starts_with(kind)), "no {kind} in:\n{resources}");
    }
    let explained = kubectl.run(&["explain", "jobs.spec.groups"]);
    assert!(explained.contains("FIELDS") && explained.contains("count"), "{explained}");

    assert!(kubectl.run(&["apply", "-f", file]).contains("sleepy created"));
    // The defaults that are shown are none of kubectl's business: it sees that nothing changes.
    assert!(kubectl.run(&["apply", "-f", file]).contains("unchanged"));
    assert_eq!(kubectl.run(&["get", "job.encamp.dev/sleepy", "-o", "jsonpath={.metadata.generation}"]), "1");
    cluster.until_healthy("sleepy", 2).await;
    outputs(&kubectl);

    fs::write(file, YAML.replace("count: 2", "count: 3")).expect("the file can be written");
    let diff = kubectl.try_run(&["diff", "-f", file]);
    assert_eq!(diff.status.code(), Some(1), "{}", String::from_utf8_lossy(&diff.stderr));
    assert!(
        String::from_utf8_lossy(&diff.stdout)
            .lines()
            .any(|line| line.starts_with('+') && line.contains("count: 3"))
    );
    let applied = kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", file]);
    assert!(applied.contains("serverside-applied"), "{applied}");
    cluster.until_healthy("sleepy", 3).await;

    assert!(kubectl.run(&["scale", "job.encamp.dev/sleepy", "--replicas=1"]).contains("scaled"));
    cluster.until_healthy("sleepy", 1).await;
    assert!(kubectl.run(&["delete", "job.encamp.dev/sleepy"]).contains("deleted"));
    assert!(kubectl.run(&["get", "jobs.encamp.dev"]).is_empty());
    let missing = kubectl.try_run(&["get", "job.encamp.dev/sleepy"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("NotFound"));
}

fn outputs(kubectl: &Kubectl<'_>) {
    let table = kubectl.run(&["get", "jobs.encamp.dev"]);
    assert!(table.starts_with("NAME") && table.contains("sleepy"), "{table}");
    let wide = kubectl.run(&["get", "allocations", "-o", "wide"]);
    assert_eq!(wide.lines().count(), 3, "{wide}");
    assert_eq!(kubectl.run(&["get", "jobs.encamp.dev", "-o", "name"]), "job.encamp.dev/sleepy\n");
    assert_eq!(
        kubectl.run(&["get", "jobs.encamp.dev", "-l", "team=night", "-o", "name"]),
        "job.encamp.dev/sleepy\n"
    );
    assert_eq!(kubectl.run(&["get", "jobs.encamp.dev", "-l", "team=day", "-o", "name"]), "");
    let count = kubectl.run(&["get", "job.encamp.dev/sleepy", "-o", "jsonpath={.spec.groups[0].count}"]);
    assert_eq!(count, "2");
    let columns =
        kubectl.run(&["get", "jobs.encamp.dev", "-o", "custom-columns=N:.metadata.name", "--no-headers"]);
    assert_eq!(columns, "sleepy\n");
    assert!(kubectl.run(&["get", "job.encamp.dev/sleepy", "-o", "yaml"]).contains("kind: Job"));
    let json: serde_json::Value =
        serde_json::from_str(&kubectl.run(&["get", "job.encamp.dev/sleepy", "-o", "json"]))
            .expect("JSON is printed");
    assert_eq!(json["metadata"]["name"], "sleepy");
    let described = kubectl.run(&["describe", "job.encamp.dev/sleepy"]);
    assert!(described.contains("sleepy") && described.contains("raw_exec"), "{described}");
}

/// `get -w` sees an instance come, and `wait` returns when a condition becomes true.
pub async fn watches_and_waits(cluster: Cluster) {
    let home = cluster.path("");
    let kubectl = Kubectl { address: cluster.api.address(), home: &home };
    let file = cluster.path("sleepy.yaml");
    fs::write(&file, YAML).expect("the file can be written");
    let watch = kubectl.start("watch", &["get", "allocations", "-w", "-o", "name"]);

    kubectl.run(&["apply", "-f", file.to_str().expect("the path is plain text")]);
    kubectl.run(&["wait", "job.encamp.dev/sleepy", "--for=condition=Available", "--timeout=30s"]);
    wait::until(wait::STEP, "the watch to have seen an allocation", async || {
        let seen = watch.last_words();
        if seen.contains("allocation.encamp.dev/sleepy.main.") { Ok(()) } else { Err(seen) }
    })
    .await;
    kubectl.run(&["delete", "job.encamp.dev/sleepy", "--wait=false"]);
    kubectl.run(&["wait", "job.encamp.dev/sleepy", "--for=delete", "--timeout=30s"]);
}
