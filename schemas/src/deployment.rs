//! Progress of one rollout of one job version (`/deployments/<namespace>/<job>/<version>`), written by
//! the deployment controller.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::Document;

/// One rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// How it goes.
    pub status: DeploymentStatus,
    /// Why, for people.
    pub description: String,
    /// By group.
    pub groups: BTreeMap<String, GroupProgress>,
    /// The version that the job goes back to since this rollout failed: its latest that worked. The deployment
    /// controller writes it as the job's next version, unless users have submitted one meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverted_to: Option<u64>,
    /// When it began, by the controller's clock.
    #[schemars(with = "Option<String>")]
    pub created_at: Option<Timestamp>,
    /// When its status changed last.
    #[schemars(with = "Option<String>")]
    pub updated_at: Option<Timestamp>,
}
impl Document for Deployment {}

/// How a rollout goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentStatus {
    /// Under way.
    #[default]
    Running,
    /// Every group has what it should, healthy.
    Successful,
    /// It was given up; what was healthy goes on.
    Failed,
    /// A newer version took over, or the job was stopped.
    Cancelled,
}

impl DeploymentStatus {
    /// Whether it never changes again.
    pub fn is_terminal(self) -> bool {
        match self {
            DeploymentStatus::Running => false,
            DeploymentStatus::Successful | DeploymentStatus::Failed | DeploymentStatus::Cancelled => true,
        }
    }
}

/// How far one group is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupProgress {
    /// How many allocations of the new version there should be.
    pub desired: u32,
    /// How many have a node.
    pub placed: u32,
    /// How many are healthy.
    pub healthy: u32,
    /// How many are not and will not be.
    pub unhealthy: u32,
    /// Without another healthy allocation until then, the rollout fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub progress_by: Option<Timestamp>,
}
