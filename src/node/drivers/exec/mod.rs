//! The `exec` driver: a program behind walls. Own mount, pid, IPC, UTS and cgroup namespaces; a root of its own made of
//! read-only system folders and the task's three; `nobody`, no capability, no new privileges; processor, memory and
//! process limits.
//!
//! Not claimed: the network is the host's, there is no user namespace, no system call filter and no disk quota.

mod control;
mod driver;
mod init;
mod jail;
mod privileges;
mod root;
mod user;

pub use control::{Control, prepare};
pub use driver::{Exec, ExecOptions};
pub use init::main;
pub use jail::{Bind, Jail};
pub use privileges::{become_user, switch_user};
pub use user::{TaskUser, find_user};
