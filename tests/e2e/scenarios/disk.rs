//! The disk of a node: tasks keep within what they asked for, and what others fill is promised to nobody.

use std::time::Duration;

use nix::mount::{MsFlags, mount};
use serde_json::Value;

use crate::{api::Allocation, cluster::Cluster, process::Process, wait};

const NODE: &str = "small";
const NODES: &str = "/apis/encamp.dev/v1/nodes";
const ALLOCATIONS: &str = "/apis/encamp.dev/v1/namespaces/default/allocations";
/// A look at the machine each 15 s, twice on a machine that does other things, too.
const LOOKED_AGAIN: Duration = Duration::from_secs(60);

/// A job of one instance on that node, which asks for so much disk.
fn job(name: &str, disk_mb: u64, script: &str) -> String {
    format!(
        r#"
job "{name}" {{
  type = "batch"
  constraint {{
    attribute = "${{node.unique.name}}"
    value     = "{NODE}"
  }}
  group "main" {{
    ephemeral_disk {{
      size = {disk_mb}
    }}
    restart {{
      attempts = 3
      mode     = "fail"
    }}
    reschedule {{
      attempts  = 0
      unlimited = false
    }}
    task "fill" {{
      driver = "raw_exec"
      config {{
        command = "/bin/sh"
        args    = ["-c", "{script}"]
      }}
      logs {{
        max_files     = 1
        max_file_size = 1
      }}
      resources {{
        cpu    = 20
        memory = 16
      }}
    }}
  }}
}}
"#
    )
}

async fn item(cluster: &Cluster, path: &str, prefix: &str) -> Result<Value, String> {
    let list = cluster.api.list(path).await?;
    let items = list.as_array().or_else(|| list["items"].as_array()).cloned().unwrap_or_default();
    let is_meant = |item: &&Value| {
        let name = item.pointer("/metadata/name").and_then(Value::as_str);
        name.is_some_and(|name| name.starts_with(prefix))
    };
    items.iter().find(is_meant).cloned().ok_or_else(|| format!("no {prefix} in {items:?}"))
}

async fn room_mb(cluster: &Cluster) -> Result<u64, String> {
    let node = item(cluster, NODES, NODE).await?;
    let capacity = &node["status"]["capacity"];
    capacity["disk"].as_u64().ok_or_else(|| format!("no disk in {node}"))
}

/// An agent whose disk has 300 MB.
async fn small_node(cluster: &Cluster) -> Process {
    let folder = cluster.path(NODE);
    std::fs::create_dir(&folder).expect("a new folder can be made");
    mount(Some("none"), &folder, Some("tmpfs"), MsFlags::empty(), Some("size=300m")).expect("root may mount");
    let agent = cluster.start_another(
        NODE,
        &["agent", "--raw-exec", "--node", NODE, "--servers", cluster.api.address(), "--data-dir", NODE],
    );
    cluster.until_nodes_are_ready(2).await;
    agent
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn skip() {
    eprintln!("skipped: a disk of its own needs root");
}

/// Who writes more than it asked for is ended and says why; who merely talks and writes what it asked for is not.
/// What fills the disk besides is no longer promised.
pub async fn is_kept_to_what_was_asked_for(cluster: Cluster) {
    if !nix::unistd::Uid::effective().is_root() {
        return skip();
    }
    let agent = small_node(&cluster).await;
    let before_mb = room_mb(&cluster).await.expect("the node is there");
    assert!((250..=300).contains(&before_mb), "{before_mb}");
    let write = |mb: u64| format!("head -c {mb}M /dev/zero > $NOMAD_ALLOC_DIR/data/f; exec sleep 100000");
    cluster.apply("modest", &job("modest", 30, &write(20)));
    cluster.apply("greedy", &job("greedy", 20, &write(40)));
    let ended = wait::until(wait::ROLLOUT, "the greedy one to be ended", async || {
        let found: Vec<Allocation> = cluster.api.allocations("greedy").await?;
        match found.as_slice() {
            [one] if one.state == "failed" => item(&cluster, ALLOCATIONS, "greedy").await,
            other => Err(format!("{other:?}\n{}", agent.last_words())),
        }
    })
    .await;
    let reason = ended["status"]["message"].as_str().unwrap_or_default();
    assert!(reason.ends_with("of the disk, and the group's ephemeral_disk has 20 MB"), "{ended}");
    wait::until(wait::STEP, "the event of it", async || {
        let ended = item(&cluster, ALLOCATIONS, "greedy").await?.to_string();
        if ended.contains("Disk Resources Exceeded") { Ok(()) } else { Err(ended) }
    })
    .await;
    let modest = cluster.api.allocations("modest").await.expect("the API answers");
    assert_eq!(modest[0].state, "running", "{modest:?}");

    std::fs::write(cluster.path(NODE).join("foreign"), vec![7; 150 << 20]).expect("there is room");
    wait::until(LOOKED_AGAIN, "the node to promise less", async || match room_mb(&cluster).await? {
        // The modest one's 20 MB are not free, and yet its own; the greedy one's lie there still.
        now_mb if now_mb + 150 <= before_mb => Ok(()),
        now_mb => Err(format!("{now_mb} of {before_mb} MB\n{}", agent.last_words())),
    })
    .await;
    cluster.apply("late", &job("late", 200, "exit 0"));
    wait::until(wait::STEP, "the scheduler to see it", async || {
        let said = cluster.run(&["status", "late"]);
        if said.contains("disk") { Ok(()) } else { Err(said) }
    })
    .await;
}
