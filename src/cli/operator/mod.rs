//! `encamp operator`: what those who run a cluster do, and users of it never.

mod command;
mod store;

pub(super) use command::{OperatorCommand, run};
