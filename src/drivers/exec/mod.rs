//! The `exec` driver: a program behind walls. Own mount, pid, IPC, UTS and cgroup namespaces; a root of its own made of
//! read-only system folders and the task's three; `nobody`, no capability, no new privileges; processor, memory and
//! process limits.
//!
//! Not claimed: the network is the host's, there is no user namespace around a task (nor can it make one inside), and
//! system calls are not filtered otherwise.

mod control;
mod driver;
mod init;
mod jail;
mod privileges;
mod root;
mod system_calls;

pub use control::{Control, prepare};
pub use driver::{Exec, ExecOptions};
pub use init::main;
pub use jail::{Bind, Jail};
pub use privileges::{become_user, switch_user};
