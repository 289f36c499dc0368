//! Runs any controller: watch → view → queue → plan → fenced commit → wait for the own write.
//!
//! This room knows no kind of document but the leader's. Each controller has a
//! [`Runner`]; [`lead`] decides whether this process may run it.

mod leader;
mod queue;
mod runner;

pub use leader::{Seat, lead};
pub use runner::Runner;
