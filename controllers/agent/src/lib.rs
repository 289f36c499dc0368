//! What a node does about its placements: start, stop, restart, report.
//!
//! [`decide`] looks at everything the agent knows at one moment ([`Local`]: the wishes of the store, what the
//! runtimes show, the results of checks, and the little that must be remembered between decisions) and answers
//! a plan of [`Act`]s. It never waits and never fails. Level-triggered: acting twice on the same moment is
//! harmless, and a plan made after its acts are done is empty.
//!
//! What holds: a task runs only for a placement that wishes it; a running task is stopped only for a reason that
//! is written down (the wish, another placement under the name, a purged node, a failed sibling, an ended leader, a
//! failing check), never since a document is missing or a server out of reach; an allocation that has ended stays ended; the memory may be lost
//! at any time, runtimes and reports say enough to go on.

mod absent;
mod account;
mod act;
mod decide;
mod disk;
mod health;
mod lifecycle;
mod local;
mod memory;
mod progress;
mod report;
mod restart;
mod scene;

pub use act::Act;
pub use decide::decide;
pub use disk::{DiskRoom, DiskUse};
pub use lifecycle::Role;
pub use local::{
    AllocationId, CheckFact, CheckStatus, Exit, Fact, Local, Observed, Refusal, VersionFact, Wanted,
};
pub use memory::{AllocationMemory, Ending, HealthMemory, Kill, Phase, RestartWish, TaskMemory, Why};
pub use report::details;
pub use restart::Window;
pub use scene::checks_of;
