//! The agent's memory as a file.

use std::collections::BTreeMap;

use agent::{AllocationId, AllocationMemory};
use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::feed::Seen;

/// What outlives the agent's process. Losing it is harmless.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    pub(crate) seen: Seen,
    pub(crate) memory: BTreeMap<AllocationId, AllocationMemory>,
}

#[derive(Serialize)]
struct Saving<'a> {
    seen: &'a Seen,
    memory: &'a BTreeMap<AllocationId, AllocationMemory>,
}

/// The bytes of the file.
pub(crate) fn encode(seen: &Seen, memory: &BTreeMap<AllocationId, AllocationMemory>) -> Vec<u8> {
    serde_json::to_vec(&Saving { seen, memory }).expect("the memory has string keys only")
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
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::error!("the agent's memory is damaged, going on without: {error}");
        Saved::default()
    })
}
