//! One control group per task: what it may use, what it has used, and the list of all that must die with it.
//! Both kernel layouts are spoken; a handle is plain words, so that another process can open it again.

mod handle;
mod v1;
mod v2;

pub use handle::{Cgroup, CgroupLimits, Cgroups, Homeward};
