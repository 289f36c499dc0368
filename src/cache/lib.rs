//! The process's one picture of the store: one watch over everything, folded into a [`plan::View`].
//!
//! Guarantees: the view is always at exactly one revision; subscribers see every revision once, in order;
//! after a break, a compaction or a lost event the difference arrives as one more batch, so nobody needs
//! a second way to learn of changes. Revisions never go back: an older listing is refused.

mod cached;
mod difference;
mod digest;
mod keeper;
mod losses;
mod unreadable;

pub use cached::Cached;
pub use keeper::{Cache, Changes, Pulse};
