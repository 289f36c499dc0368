//! How a group changes to a new version, and how it leaves a node that is drained.
//!
//! These blocks merge field by field like those of `policy`: group into job, job into the defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::layered::{layered, plain};

/// How a new version of a group replaces the old one (service and system jobs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// How many instances change at a time; 0 changes all at once without a rollout. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// What makes an instance healthy: `checks`, `task_states` or `manual`. Default: `checks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// How long an instance must be healthy before it counts. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_healthy_time: Option<Duration>,
    /// After how long an instance that is not healthy counts as unhealthy. Default: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_deadline: Option<Duration>,
    /// How long a rollout may go without progress; 0 fails it with the first unhealthy instance. Default: 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_deadline: Option<Duration>,
    /// Whether a failed rollout goes back to the last version that worked. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_revert: Option<bool>,
    /// Whether healthy canaries are promoted without being asked. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_promote: Option<bool>,
    /// How many canaries run beside the old version first; for system jobs a percentage of the nodes. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// Pause between batches of system jobs (kept for old job files). Default: 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stagger: Option<Duration>,
}

/// What makes an instance healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheck {
    /// All tasks run and all checks pass.
    #[default]
    Checks,
    /// All tasks run.
    TaskStates,
    /// Somebody says so.
    Manual,
}

plain!(Update {
    /// How many instances change at a time.
    max_parallel: u32 = 1,
    /// What makes an instance healthy.
    health_check: HealthCheck = HealthCheck::Checks,
    /// How long an instance must be healthy before it counts.
    min_healthy_time: Duration = Duration::from_seconds(10),
    /// After how long an instance that is not healthy counts as unhealthy.
    healthy_deadline: Duration = Duration::from_minutes(5),
    /// How long a rollout may go without progress.
    progress_deadline: Duration = Duration::from_minutes(10),
    /// Whether a failed rollout goes back.
    auto_revert: bool = false,
    /// Whether healthy canaries are promoted without being asked.
    auto_promote: bool = false,
    /// How many canaries run first.
    canary: u32 = 0,
    /// Pause between batches of system jobs.
    stagger: Duration = Duration::from_seconds(30),
});

/// How instances leave a node that is drained (service jobs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Migrate {
    /// How many instances move at a time. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// What makes a replacement healthy: `checks` or `task_states`. Default: `checks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// How long a replacement must be healthy before the next one moves. Default: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_healthy_time: Option<Duration>,
    /// After how long a replacement that is not healthy counts as failed. Default: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_deadline: Option<Duration>,
}

plain!(Migrate {
    /// How many instances move at a time.
    max_parallel: u32 = 1,
    /// What makes a replacement healthy.
    health_check: HealthCheck = HealthCheck::Checks,
    /// How long a replacement must be healthy before the next one moves.
    min_healthy_time: Duration = Duration::from_seconds(10),
    /// After how long a replacement that is not healthy counts as failed.
    healthy_deadline: Duration = Duration::from_minutes(5),
});
