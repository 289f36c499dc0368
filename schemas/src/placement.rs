//! Where a slot runs (`/placements/<node>/<namespace>/<allocation>`): the scheduler writes it, the node's
//! agent reads it and nothing else.
//!
//! A placement refers to the job version and never embeds it. What it claims of the node stays claimed
//! until the agent reports the allocation's end or the scheduler removes the document; a wish to stop
//! frees nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{Document, Encoding};
use crate::key::Revision;
use crate::node::Amount;
use crate::roster::{Index, allocation_name};

/// One slot on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The job.
    #[serde(rename = "j")]
    pub job: String,
    /// The group.
    #[serde(rename = "g")]
    pub group: String,
    /// The place in the group.
    #[serde(rename = "i")]
    pub index: Index,
    /// The job version in the allocation's name.
    #[serde(rename = "v")]
    pub version: u64,
    /// The attempt in the allocation's name.
    #[serde(rename = "a", default)]
    pub attempt: u32,
    /// The job version to run.
    #[serde(rename = "s")]
    pub spec: u64,
    /// Whether it should run.
    #[serde(rename = "w", default)]
    pub wish: Wish,
    /// What it takes from the node.
    #[serde(rename = "c")]
    pub claim: Amount,
    /// Cores it has for itself.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub cores: Vec<u16>,
    /// Ports it has.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortClaim>,
    /// The revision that made the placement which this one stands for: that document was lost, and what its node
    /// runs of it goes on.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub adopts: Option<Revision>,
    /// When it was placed, by the scheduler's clock.
    #[serde(rename = "t")]
    pub placed_at: Timestamp,
}
impl Document for Placement {
    const ENCODING: Encoding = Encoding::Compact;
}

impl Placement {
    /// The allocation's name.
    pub fn allocation(&self) -> String {
        allocation_name(&self.job, &self.group, &self.index, self.version, self.attempt)
    }
}

/// Whether an allocation should run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Yes.
    #[default]
    #[serde(rename = "r")]
    Run,
    /// No, and why.
    #[serde(rename = "s")]
    Stop {
        /// Why, for people.
        #[serde(rename = "y")]
        reason: String,
        /// The node does not fit what its place should run: nothing follows there until it does.
        #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
        unfit: bool,
    },
}

/// One port of one allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortClaim {
    /// The port's label.
    #[serde(rename = "l")]
    pub label: String,
    /// The port on the host.
    #[serde(rename = "h")]
    pub host_port: u16,
    /// The port inside the task, where it has one of its own.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn a_placement_is_small_and_reads_back() {
        let placement = Placement {
            job: "web".into(),
            group: "api".into(),
            index: Index::Number(3),
            version: 7,
            attempt: 1,
            spec: 7,
            wish: Wish::Run,
            claim: Amount { cpu_mhz: 500, memory_mb: 256, disk_mb: 300 },
            cores: vec![],
            ports: vec![PortClaim { label: "http".into(), host_port: 20_001, to: None }],
            adopts: None,
            placed_at: Timestamp::UNIX_EPOCH,
        };
        let bytes = encode(&placement);
        assert!(bytes.len() <= 120, "{} bytes", bytes.len());
        assert_eq!(decode::<Placement>(&bytes).unwrap(), placement);
        assert_eq!(placement.allocation(), "web.api.3-v7.1");
    }
}
