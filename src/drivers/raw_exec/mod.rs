//! The `raw_exec` driver: a plain process with the agent's own rights. Off unless the operator switches it on.
//! A control group lists what belongs to the task and ends all of it; nothing is limited and nothing is hidden.

mod driver;

pub use driver::RawExec;
