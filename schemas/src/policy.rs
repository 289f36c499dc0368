//! How a group restarts, is placed again and survives a silent node.
//!
//! These blocks merge field by field: task into group, group into job, job into the defaults of the job's type.
//! A missing field therefore means "ask the next one out", and `canonicalize` fills all of them. The methods
//! named like the fields give the plain value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::job::JobType;
use crate::layered::layered;

/// How often a task that ended is started again on the same node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Restart {
    /// How many restarts `interval` allows. Default: 2 (service, system), 3 (batch, sysbatch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The window in which attempts are counted, at least 5s. Default: 30m (service, system), 24h (batch, sysbatch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// The wait before a restart; up to 25 % is added at random. Default: 15s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// What happens when the attempts are used up: `fail` or `delay` until the next window. Default: `fail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<RestartMode>,
    /// Whether templates are rendered again before a restart. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_templates: Option<bool>,
}

/// What happens when the restarts of a window are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartMode {
    /// The task fails for good on this node.
    #[default]
    Fail,
    /// The task waits for the next window.
    Delay,
}

layered!(Restart { attempts, interval, delay, mode, render_templates });

impl Restart {
    /// The defaults for jobs of a type.
    pub fn of(job_type: JobType) -> Restart {
        let (attempts, interval) = match job_type {
            JobType::Service | JobType::System => (2, Duration::from_minutes(30)),
            JobType::Batch | JobType::Sysbatch => (3, Duration::from_hours(24)),
        };
        Restart {
            attempts: Some(attempts),
            interval: Some(interval),
            delay: Some(Duration::from_seconds(15)),
            mode: Some(RestartMode::Fail),
            render_templates: Some(false),
        }
    }

    /// How many restarts the window allows.
    pub fn attempts(&self) -> u32 {
        self.attempts.unwrap_or(2)
    }

    /// The window in which attempts are counted.
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_minutes(30))
    }

    /// The wait before a restart.
    pub fn delay(&self) -> Duration {
        self.delay.unwrap_or(Duration::from_seconds(15))
    }

    /// What happens when the attempts are used up.
    pub fn mode(&self) -> RestartMode {
        self.mode.unwrap_or_default()
    }

    /// Whether templates are rendered again before a restart.
    pub fn render_templates(&self) -> bool {
        self.render_templates.unwrap_or(false)
    }
}

/// How often a failed instance is placed again, on another node if possible (service and batch jobs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Reschedule {
    /// How many times `interval` allows, when not unlimited. Default: 1 (batch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The window in which attempts are counted, at least 15s. Default: 24h (batch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// The wait before the first time, at least 5s. Default: 30s (service), 5s (batch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// How the wait grows: `constant`, `exponential` or `fibonacci`. Default: `exponential` (service), `constant` (batch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_function: Option<DelayFunction>,
    /// The longest wait, for delays that grow. Default: 1h (service).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Duration>,
    /// Whether there is no limit. Default: true (service without `attempts`), false (batch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlimited: Option<bool>,
}

/// How a wait grows from one attempt to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DelayFunction {
    /// It stays the same.
    Constant,
    /// It doubles.
    #[default]
    Exponential,
    /// It is the sum of the last two.
    Fibonacci,
}

layered!(Reschedule { attempts, interval, delay, delay_function, max_delay, unlimited });

impl Reschedule {
    /// The defaults for jobs of a type; system and sysbatch jobs are bound to their nodes and have none.
    pub fn of(job_type: JobType) -> Option<Reschedule> {
        match job_type {
            JobType::Service => Some(Reschedule {
                attempts: Some(0),
                interval: Some(Duration::ZERO),
                delay: Some(Duration::from_seconds(30)),
                delay_function: Some(DelayFunction::Exponential),
                max_delay: Some(Duration::from_hours(1)),
                unlimited: Some(true),
            }),
            JobType::Batch => Some(Reschedule {
                attempts: Some(1),
                interval: Some(Duration::from_hours(24)),
                delay: Some(Duration::from_seconds(5)),
                delay_function: Some(DelayFunction::Constant),
                max_delay: Some(Duration::ZERO),
                unlimited: Some(false),
            }),
            JobType::System | JobType::Sysbatch => None,
        }
    }

    /// How many times the window allows, when not unlimited.
    pub fn attempts(&self) -> u32 {
        self.attempts.unwrap_or(0)
    }

    /// The window in which attempts are counted.
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::ZERO)
    }

    /// The wait before the first time.
    pub fn delay(&self) -> Duration {
        self.delay.unwrap_or(Duration::from_seconds(30))
    }

    /// How the wait grows.
    pub fn delay_function(&self) -> DelayFunction {
        self.delay_function.unwrap_or_default()
    }

    /// The longest wait.
    pub fn max_delay(&self) -> Duration {
        self.max_delay.unwrap_or(Duration::from_hours(1))
    }

    /// Whether there is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.unlimited.unwrap_or(false)
    }

    /// Whether failed instances are ever placed again.
    pub fn is_enabled(&self) -> bool {
        self.is_unlimited() || self.attempts() > 0
    }
}

/// What happens to instances on a node that stopped answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Disconnect {
    /// How long an unreachable instance may come back before it counts as lost; 0 gives no such time. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_after: Option<Duration>,
    /// After how long without the servers the node itself stops the instance; excludes `lostAfter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_on_client_after: Option<Duration>,
    /// Whether a replacement starts while the instance is unreachable. Default: true.
    pub replace: bool,
    /// Which one stays when the instance comes back: `keep_original`, `keep_replacement`, `best_score` or
    /// `longest_running`. Default: `best_score`.
    pub reconcile: Reconcile,
}

impl Default for Disconnect {
    fn default() -> Self {
        Disconnect {
            lost_after: None,
            stop_on_client_after: None,
            replace: true,
            reconcile: Reconcile::BestScore,
        }
    }
}

/// Which instance stays when an unreachable one comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reconcile {
    /// The one that came back.
    KeepOriginal,
    /// Its replacement.
    KeepReplacement,
    /// The one on the better node.
    #[default]
    BestScore,
    /// The one that has run longer.
    LongestRunning,
}
