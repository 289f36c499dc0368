//! Roster slots without a placement to placements: where instances run.
//!
//! Alone writes `/placements`. Level-triggered and exact: every plan looks at what is open (slots without a
//! placement, placements without a slot), asks every node whether it may take an instance (`feasible`), has
//! room (`site`) and how good it would be (`score`), and gives each slot the best (`race`). Room is what is
//! claimed by everything that has not been reported to have ended: a wish to stop frees nothing.

mod controller;
mod crowd;
mod decide;
mod explain;
mod feasible;
mod history;
mod in_place;
mod lot;
mod orphans;
mod pending;
mod race;
mod recovery;
mod score;
mod site;
mod successor;
#[cfg(test)]
mod tests;

pub use controller::Scheduler;
pub use explain::{Explanation, explain};
pub use fit::Unfit;
