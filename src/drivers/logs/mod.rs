//! Output of tasks on the node: rotated files `<task>.<stream>.<n>`, written by whoever holds the pipe, read by anybody.
//! Logs never leave the node's disk except through a reader.

mod reader;
mod rotating;

pub use reader::{LogChanges, LogFiles, LogReader, Origin};
pub use rotating::{LogPlan, RotatingLog, Stream};
