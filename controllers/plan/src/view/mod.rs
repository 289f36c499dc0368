//! One consistent cut of the cluster, typed, with indexes folded from changes.
//!
//! The control loop applies whole revisions; a plan only borrows. Nothing here scans: what a plan asks
//! for by another way than the key is an index that each change updates.

mod cut;
mod indexes;
mod open;
mod presence;
mod refold;
mod sight;
mod suppose;
mod table;
mod unreadable;

pub use cut::View;
pub use indexes::{GroupRef, Indexes, JobRef, Usage};
pub use open::Open;
pub use sight::Sight;
pub use table::{Counters, Stored, Table};
pub use unreadable::Unreadable;
