//! Job to roster: which slots must exist, at which version and attempt; and how the rollout goes.
//!
//! This controller alone writes rosters and deployments, and the version that a job goes back to. A root is one job, and its plan is one transaction
//! over all groups: rosters and rollout never disagree. Where a slot runs is the
//! scheduler's word, whether it runs the agent's. The rules are Nomad's:
//!
//! - The first version of a group, and instances added by scaling, exist at once. Later versions replace
//!   `max_parallel` at a time, the next only when the last are healthy, none while one is unhealthy.
//! - A change that running tasks can take over changes the slot's `spec` and keeps its name.
//! - A failed allocation is followed by another after the reschedule policy's delay; one that was lost with
//!   its node at once, without counting as a failure.
//! - A rollout without progress until its deadline fails; the deadline begins with the first instance that has a
//!   node, so one that waits for room waits. What was healthy goes on; with `auto_revert` the latest version that
//!   worked becomes the job's next one, rolled out in the same steps, which nothing that fails meanwhile holds up.
//! - What a rule about places forbids where it is moves like what a change replaces.
//! - A system job's instance that had to leave its node returns under another name when the node fits again.
//! - A job that is being deleted disappears when nothing of it runs.

mod controller;
mod counted;
mod every_node;
mod fate;
mod misplaced;
mod recovery;
mod removal;
mod reschedule;
mod revert;
mod rolling;
mod rollout;
mod target;
#[cfg(test)]
mod tests;

pub use controller::Deployer;
