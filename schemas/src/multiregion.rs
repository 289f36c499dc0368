//! One job in several regions: where it runs and in which order the regions are updated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs the job in several regions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Multiregion {
    /// In which order the regions are updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RegionStrategy>,
    /// The regions, in the order of the rollout.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
}

/// In which order regions are updated and what a failure means for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionStrategy {
    /// How many regions are updated at a time; 0 is all at once. Default: 0.
    pub max_parallel: u32,
    /// What a failed region does to the others: nothing set stops the remaining ones, `fail_all` or `fail_local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnRegionFailure>,
}

/// What a failed region does to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRegionFailure {
    /// Every region fails.
    FailAll,
    /// Only the region itself fails.
    FailLocal,
}

/// One region of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Region {
    /// The region's name.
    pub name: String,
    /// The count of groups that give none. Default: 1.
    pub count: u32,
    /// The job's datacenters in this region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datacenters: Vec<String>,
    /// The job's node pool in this region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<String>,
    /// Meta added to the job's in this region.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
}

impl Default for Region {
    fn default() -> Self {
        Region {
            name: String::new(),
            count: 1,
            datacenters: Vec::new(),
            node_pool: None,
            meta: BTreeMap::new(),
        }
    }
}
