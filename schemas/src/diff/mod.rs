//! What changed between two versions of a job, and what the change does to running instances.
//!
//! Both sides are taken in canonical form. `replaces` is the one judge of what an update does: the rollout asks it
//! before it acts, and the printed plan shows the same answer.

mod effect;
#[cfg(test)]
mod tests;
mod tree;

pub use effect::{Effect, replaces};
pub use tree::{Change, FieldDiff, GroupDiff, JobDiff, ObjectDiff, diff};
