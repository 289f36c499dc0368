//! Everything that is wrong with a job, all at once, each with the place and the way out.
//!
//! One file per kind of block. A rule here is about the job alone; what the cluster can do is `support`'s.
//! Nothing here panics: any value of the types may come in.

mod bounds;
mod calendar;
mod driver;
mod files;
mod group;
mod identity;
mod job;
mod names;
mod nearest;
mod network;
mod policy;
mod problem;
mod resources;
mod rules;
mod service;
mod task;
#[cfg(test)]
mod tests;
mod volume;

pub use driver::{DRIVERS, driver_keys};
pub use job::{job, namespace};
pub use nearest::nearest;
pub use problem::{Place, Problem, Report, Severity};
