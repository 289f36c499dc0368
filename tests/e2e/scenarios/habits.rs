//! What people type all day, and what it must answer.

use crate::{cluster::Cluster, jobs};

/// Dry runs tell what would change, scaling does not make the others look ill, a stopped job runs again.
pub async fn words_of_the_day(cluster: Cluster) {
    let two = jobs::pairs("pairs", 2, &cluster.witness());
    cluster.apply("pairs", &two);
    cluster.until_healthy("pairs", 2).await;
    let before = cluster.tasks();

    let path = cluster.path("changed.hcl");
    std::fs::write(&path, two.replace("memory = 16", "memory = 17")).expect("the directory can be written");
    let path = path.display().to_string();
    let dry = cluster.run(&["apply", "--dry-run=server", &path]);
    assert!(dry.contains("configured (dry run)"), "{dry}");
    let unchanged =
        cluster.run(&["apply", "--dry-run", &cluster.path("jobs/pairs.hcl").display().to_string()]);
    assert!(unchanged.contains("unchanged (dry run)"), "{unchanged}");
    let plan = cluster.try_run(&["job", "plan", "-verbose", &path]);
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert_eq!(plan.status.code(), Some(1), "{text}");
    assert!(text.contains(r#"Task: "first""#), "{text}");

    cluster.run(&["scale", "-detach", "pairs", "3"]);
    cluster.until_healthy("pairs", 3).await;
    cluster.assert_alive(&before);

    cluster.run(&["job", "stop", "-yes", "pairs"]);
    assert!(cluster.tasks().is_empty(), "{}", cluster.last_words());
    let status = cluster.run(&["status", "pairs", "-o", "jsonpath={.status.phase}"]);
    assert_eq!(status, "dead");
    cluster.run(&["job", "start", "-detach", "pairs"]);
    cluster.until_healthy("pairs", 3).await;
    let living = cluster.run(&["get", "allocations"]);
    assert_eq!(living.lines().filter(|line| line.contains("running")).count(), 3, "{living}");
    assert_eq!(living.lines().count(), 4, "what has ended is not in the way: {living}");
    let all = cluster.run(&["get", "allocations", "--all"]);
    let ended = all.lines().position(|line| line.contains("complete")).expect("the stopped ones are shown");
    assert_eq!(ended, 4, "what lives stands first: {all}");
    let status = cluster.run(&["status", "pairs"]);
    assert!(status.contains("ended and not shown: "), "{status}");
    assert!(!cluster.run(&["status", "--all", "pairs"]).contains("ended and not shown"));

    let refused = cluster.try_run(&["alloc", "logs", "-n", "5", "pairs"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("--tail 5"), "{said}");
    assert!(cluster.run(&["get", "all"]).contains("pairs.main.0-"));
}
