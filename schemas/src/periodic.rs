//! Batch jobs that start at times (periodic) or on demand with arguments (parameterized).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Starts a run of a batch job at the times of a calendar expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Periodic {
    /// Calendar expressions of 5 to 7 fields, or `@daily` and the like; any of them starts a run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crons: Vec<String>,
    /// Whether a run is skipped while an earlier one is still going. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prohibit_overlap: bool,
    /// The time zone of the expressions, such as `Europe/Berlin`. Default: `UTC`.
    pub time_zone: String,
    /// Whether runs start at all; `false` also refuses forced runs. Default: true.
    pub enabled: bool,
}

impl Default for Periodic {
    fn default() -> Self {
        Periodic { crons: Vec::new(), prohibit_overlap: false, time_zone: "UTC".to_owned(), enabled: true }
    }
}

/// Makes a batch job a template: each dispatch starts one run with its own payload and meta.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameterized {
    /// Whether a dispatch carries a payload (at most 16 KiB): `optional`, `required` or `forbidden`. Default: `optional`.
    pub payload: PayloadRule,
    /// Meta keys that a dispatch must give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meta_required: Vec<String>,
    /// Meta keys that a dispatch may give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meta_optional: Vec<String>,
}

/// Whether a dispatch carries a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayloadRule {
    /// It may.
    #[default]
    Optional,
    /// It must.
    Required,
    /// It must not.
    Forbidden,
}
