//! The words of Encamp: documents, keys, and the three spellings of a job.
//!
//! No async, no clock, no I/O, no randomness. Only `text` and `validate` can fail.

pub mod codec;
pub mod deployment;
pub mod entry;
pub mod key;
pub mod leader;
pub mod meta;
pub mod node;
pub mod placement;
pub mod report;
pub mod roster;
