//! The core with a durable journal: the store of `dev` and of a single server.
//!
//! One thread owns the file. It takes whatever transactions are waiting, decides them in order, writes them in one
//! journal commit with one fsync, and only then shows and acknowledges them: a lone transaction is
//! never held back, and a crowd shares an fsync. What was acknowledged survives `kill -9` at any moment; what was
//! not is there whole or not at all. The journal holds the present only, so after a restart a watch
//! from an older revision is told `Compacted`.
//!
//! Nothing of it is taken on trust when it is opened: pages, rows, the seal over all rows and a mark beside the file
//! must agree, or it is refused and not touched.

mod copy_on_write;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
mod inspect;
mod journal;
mod mark;
mod panics;
mod row;
mod salvage;
mod store;
mod survey;
mod writer;

pub use inspect::{Inspection, Repaired};
pub use store::Embedded;
