//! The agent's memory as a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use agent::{AllocationId, AllocationMemory};
use serde::{Deserialize, Serialize};

use super::disk::Disk;

/// What outlives the agent's process, by allocation. Losing it is harmless.
pub(crate) type Memory = BTreeMap<AllocationId, AllocationMemory>;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct File<'a> {
    memory: Cow<'a, Memory>,
    /// The epoch of the store that it is about.
    epoch: Cow<'a, str>,
}

/// What an agent begins with.
#[derive(Default)]
pub(crate) struct Saved {
    pub(crate) memory: Memory,
    /// The epoch of the store that it followed; empty if none.
    pub(crate) epoch: String,
}

/// The bytes of the file.
pub(crate) fn encode(memory: &Memory, epoch: &str) -> Vec<u8> {
    let file = File { memory: Cow::Borrowed(memory), epoch: Cow::Borrowed(epoch) };
    serde_json::to_vec(&file).expect("the memory has string keys only")
}

/// Reads the file; what cannot be read is as good as lost.
pub(crate) async fn load(disk: &dyn Disk) -> Saved {
    let bytes = match disk.load().await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Saved::default(),
        Err(error) => {
            tracing::error!("the agent's memory cannot be read, going on without: {error}");
            return Saved::default();
        }
    };
    let file = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::error!("the agent's memory is damaged, going on without: {error}");
        File::default()
    });
    Saved { memory: file.memory.into_owned(), epoch: file.epoch.into_owned() }
}
