//! The shape of a decision: what a controller sees and what it answers.
//!
//! A [`Controller`] looks at a [`View`], one consistent cut of the cluster, and answers a [`Plan`]: steps
//! that may be committed in order, each atomic, so that the state after any prefix is safe. It never
//! waits, never fails and never knows the time except as an argument: the same view, root and time give
//! the same plan, byte for byte.

mod controller;
mod draft;
#[cfg(feature = "fixture")]
pub mod fixture;
mod guard;
mod steps;
pub mod view;

pub use controller::Controller;
pub use draft::{Draft, STEP_LIMIT};
pub use guard::{Guard, Write};
pub use steps::{Note, Plan, Step};
pub use view::View;
