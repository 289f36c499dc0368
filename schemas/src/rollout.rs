//! How a group changes to a new version, and how it leaves a node that is drained.
//!
//! These blocks merge field by field like those of `policy`: group into job, job into the defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

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

impl Update {
    /// This block with the gaps filled from `outer`.
    pub fn or(&self, outer: &Update) -> Update {
        let Update {
            max_parallel,
            health_check,
            min_healthy_time,
            healthy_deadline,
            progress_deadline,
            auto_revert,
            auto_promote,
            canary,
            stagger,
        } = *self;
        Update {
            max_parallel: max_parallel.or(outer.max_parallel),
            health_check: health_check.or(outer.health_check),
            min_healthy_time: min_healthy_time.or(outer.min_healthy_time),
            healthy_deadline: healthy_deadline.or(outer.healthy_deadline),
            progress_deadline: progress_deadline.or(outer.progress_deadline),
            auto_revert: auto_revert.or(outer.auto_revert),
            auto_promote: auto_promote.or(outer.auto_promote),
            canary: canary.or(outer.canary),
            stagger: stagger.or(outer.stagger),
        }
    }

    /// This block without gaps.
    pub fn filled(&self) -> Update {
        Update {
            max_parallel: Some(self.max_parallel()),
            health_check: Some(self.health_check()),
            min_healthy_time: Some(self.min_healthy_time()),
            healthy_deadline: Some(self.healthy_deadline()),
            progress_deadline: Some(self.progress_deadline()),
            auto_revert: Some(self.auto_revert()),
            auto_promote: Some(self.auto_promote()),
            canary: Some(self.canary()),
            stagger: Some(self.stagger()),
        }
    }

    /// How many instances change at a time.
    pub fn max_parallel(&self) -> u32 {
        self.max_parallel.unwrap_or(1)
    }

    /// What makes an instance healthy.
    pub fn health_check(&self) -> HealthCheck {
        self.health_check.unwrap_or_default()
    }

    /// How long an instance must be healthy before it counts.
    pub fn min_healthy_time(&self) -> Duration {
        self.min_healthy_time.unwrap_or(Duration::from_seconds(10))
    }

    /// After how long an instance that is not healthy counts as unhealthy.
    pub fn healthy_deadline(&self) -> Duration {
        self.healthy_deadline.unwrap_or(Duration::from_minutes(5))
    }

    /// How long a rollout may go without progress.
    pub fn progress_deadline(&self) -> Duration {
        self.progress_deadline.unwrap_or(Duration::from_minutes(10))
    }

    /// Whether a failed rollout goes back.
    pub fn auto_revert(&self) -> bool {
        self.auto_revert.unwrap_or(false)
    }

    /// Whether healthy canaries are promoted without being asked.
    pub fn auto_promote(&self) -> bool {
        self.auto_promote.unwrap_or(false)
    }

    /// How many canaries run first.
    pub fn canary(&self) -> u32 {
        self.canary.unwrap_or(0)
    }

    /// Pause between batches of system jobs.
    pub fn stagger(&self) -> Duration {
        self.stagger.unwrap_or(Duration::from_seconds(30))
    }
}

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

impl Migrate {
    /// This block with the gaps filled from `outer`.
    pub fn or(&self, outer: &Migrate) -> Migrate {
        Migrate {
            max_parallel: self.max_parallel.or(outer.max_parallel),
            health_check: self.health_check.or(outer.health_check),
            min_healthy_time: self.min_healthy_time.or(outer.min_healthy_time),
            healthy_deadline: self.healthy_deadline.or(outer.healthy_deadline),
        }
    }

    /// This block without gaps.
    pub fn filled(&self) -> Migrate {
        Migrate {
            max_parallel: Some(self.max_parallel()),
            health_check: Some(self.health_check()),
            min_healthy_time: Some(self.min_healthy_time()),
            healthy_deadline: Some(self.healthy_deadline()),
        }
    }

    /// How many instances move at a time.
    pub fn max_parallel(&self) -> u32 {
        self.max_parallel.unwrap_or(1)
    }

    /// What makes a replacement healthy.
    pub fn health_check(&self) -> HealthCheck {
        self.health_check.unwrap_or_default()
    }

    /// How long a replacement must be healthy before the next one moves.
    pub fn min_healthy_time(&self) -> Duration {
        self.min_healthy_time.unwrap_or(Duration::from_seconds(10))
    }

    /// After how long a replacement that is not healthy counts as failed.
    pub fn healthy_deadline(&self) -> Duration {
        self.healthy_deadline.unwrap_or(Duration::from_minutes(5))
    }
}
