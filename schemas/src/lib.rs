//! The words of Encamp: documents, keys, and the three spellings of a job.
//!
//! No async, no clock, no I/O, no randomness. Only `text` and `validate` can fail.

pub mod admission;
pub mod agent_address;
pub mod agent_documents;
#[cfg(test)]
mod arbitrary;
pub mod ask;
mod canonical;
pub mod codec;
pub mod connect;
pub mod deployment;
pub mod diff;
pub mod duration;
pub mod entry;
pub mod epoch;
pub mod explain;
pub mod group;
pub mod identity;
pub mod invisible;
pub mod job;
pub mod key;
mod layered;
pub mod leader;
pub mod limits;
pub mod liveness;
pub mod masked;
pub mod meta;
pub mod multiregion;
pub mod natural;
pub mod network;
pub mod node;
pub mod node_name;
pub mod pattern;
pub mod periodic;
pub mod placement;
pub mod placement_rules;
pub mod policy;
pub mod report;
pub mod resources;
pub mod revert;
pub mod rollout;
pub mod roster;
pub mod schema;
pub mod service;
pub mod support;
pub mod task;
pub mod template;
pub mod text;
pub mod tombstone;
pub mod unknown;
pub mod validate;
pub mod volume;
