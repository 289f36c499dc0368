//! `encamp operator`: for whoever keeps the cluster itself running. One file per subgroup.

mod command;
mod epoch;
mod liveness;
mod store;

pub(super) use command::{OperatorCommand, operate};
