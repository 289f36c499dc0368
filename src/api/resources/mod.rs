//! The documents that users see, each joined from halves with different writers.
//!
//! One file per kind: its names in a view, its document, its columns. Nothing here waits or writes.

pub(super) mod allocations;
pub(super) mod catalog;
pub(super) mod counts;
pub(super) mod deployments;
pub(super) mod events;
pub(super) mod jobs;
pub(super) mod namespaces;
pub(super) mod nodes;
mod since;
mod unreadable_allocation;
pub(super) mod versions;
