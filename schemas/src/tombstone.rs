//! The last word about a node that was purged (`/tombstones/<node>`).
//!
//! A node's documents may vanish by mistake, which must end nothing. This document is the wish that a missing one is
//! not: everything that was placed on the node before it is disowned, so that others may take its place, and the
//! node's agent ends it, should it ever come back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::Document;

/// That a node was purged. What counts is the revision that wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tombstone {
    /// When, by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Timestamp>,
}
impl Document for Tombstone {}
