//! Whether a node is one that a group may use, however much room it has: the rules of a job, read once and asked of
//! many nodes.
//!
//! No controller: the scheduler asks where a new instance may go, the deployment controller which instances stand where
//! a new version forbids it. Both get the same answer.

mod demand;
mod feasible;
mod rule;
mod standing;
mod unfit;
mod version;

pub use demand::{Access, Demand, DistinctProperty, Scope, Wanted};
pub use feasible::{belongs, may_take};
pub use rule::{Facts, Rule, Term};
pub use standing::Standing;
pub use unfit::Unfit;
