//! Job to roster: which slots must exist, at which version.
//!
//! Alone writes `/rosters` and `/deployments`, and deletes a job with its history once nothing of it is left.

mod controller;
mod decide;

pub use controller::DeploymentController;
