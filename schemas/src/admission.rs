//! Whether a cluster takes a job. `validate`, which asks no server, and the server itself ask here, so that both
//! say the same.

use crate::job::JobSpec;
use crate::support;
use crate::validate::{self, Problem};

/// Everything that speaks against a job, and what somebody should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong with the job itself, anywhere.
    pub mistakes: Vec<Problem>,
    /// What the job may well ask for, and the cluster cannot do yet.
    pub unbuilt: Vec<Problem>,
}

/// Judges the job of that name, as it was written.
pub fn judge(name: &str, spec: &JobSpec) -> Verdict {
    Verdict { mistakes: validate::job(name, spec), unbuilt: support::unbuilt(spec) }
}
