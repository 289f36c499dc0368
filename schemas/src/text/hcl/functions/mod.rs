//! The function library: what job files written for Nomad may call.
//!
//! Each function is a row of a table: name, parameters, code. Arguments are converted to the kinds of the
//! parameters before the code runs, as HCL does. Nothing here touches a file, a clock or chance: functions
//! that read files ask the caller, who offers them in its options or does not.

mod call;
mod collections;
mod crypto;
mod encoding;
mod files;
mod format;
mod function;
mod network;
mod numeric;
mod sets;
mod strings;
mod time;

pub(super) use call::call;
