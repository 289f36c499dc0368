//! What a `dev` that was killed left: its tasks run on and hold their ports, and nobody will ever ask for them again.
//!
//! The next `dev` ends what was proved to belong to a throw-away one that is gone, and names the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::throwaway::{self, Found};
use crate::host::talk;
use drivers::process::record::{Record, StateFolder};
use drivers::{self, docker};
use node::data_lock::DataLock;
use node::disk::DataDir;
use node::identity::Identity;
use node::{self, AgentConfig};

/// How long a container has to end by itself, as long as any task of a `dev`.
const GRACE: Duration = Duration::from_secs(5);

/// Clears up after all of them.
pub(super) async fn clear_up(parent: PathBuf) {
    let looked = tokio::task::spawn_blocking(move || throwaway::find(&parent)).await;
    for found in looked.unwrap_or_default() {
        match found {
            Found::Left(folder, lock) => end(folder, lock).await,
            Found::Unmarked(folder) => {
                let words =
                    "may be left by an earlier `encamp dev`; remove it when nothing of it runs any more";
                name(&folder, words);
            }
        }
    }
}

/// Ends everything of a folder, then removes it.
async fn end(folder: PathBuf, lock: DataLock) {
    let data = folder.join("agent");
    let agent = match DataLock::take_over(&data) {
        Ok(Some(agent)) => Some(agent),
        // The agent's part may never have come to be.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Ok(None) | Err(_) => return name(&folder, "is used by an agent, or cannot be locked"),
    };
    name(&folder, "is of a `dev` that was killed: ending what it left");
    let (id, node) = Identity::last_of(&data);
    let config = AgentConfig { raw_exec: true, ..AgentConfig::new(node.unwrap_or_default(), &data) };
    let mut left = node::drain_all(&node::open_process_drivers(&config).await).await;
    if let Some(id) = id {
        let options = node::docker_options(&config);
        // No daemon, no containers.
        if options.socket.exists()
            && let Err(error) = docker::remove_all_of(options, &id, GRACE).await
        {
            left.push(format!("its containers ({error})"));
        }
    }
    if !left.is_empty() {
        name(&folder, "still runs, and has to be ended by hand");
        talk(&format!("  left: {}", left.join(", ")));
        return;
    }
    if let Err(error) = DataDir::new(&data).take_off_all_secrets().await {
        return talk(&format!("  secrets are still mounted below {}: {error}", data.display()));
    }
    drop(agent);
    throwaway::remove(&folder, lock);
}

/// Says what a folder is, and what of it runs.
fn name(folder: &Path, what: &str) {
    talk(&format!("{} {what}", folder.display()));
    for record in records(folder) {
        let Some(task) = record.task.filter(|task| task.is_alive()) else { continue };
        talk(&format!("  {}: pid {}, {}", record.id, task.pid, command_line(task.pid)));
    }
}

/// The tasks on record, of every driver.
fn records(folder: &Path) -> Vec<Record> {
    let drivers = fs::read_dir(folder.join("agent").join("drivers")).into_iter().flatten().flatten();
    let folders = drivers.flat_map(|driver| StateFolder::all(&driver.path()).unwrap_or_default());
    folders.filter_map(|folder| folder.record()).collect()
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let line = words.collect::<Vec<_>>().join(" ");
    line.trim().chars().take(120).collect()
}
