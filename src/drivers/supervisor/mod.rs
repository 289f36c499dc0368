//! The process that watches over one task: the hidden command `__supervise`.
//!
//! One thread and one `poll`. It belongs to no agent: the first order comes on its standard input, a socket, later
//! ones on the socket in its state folder. It is the reaper of everything the task leaves behind, so the task has
//! ended only when no process of it is left; then the exit is written, told, and the supervisor leaves.

mod child;
mod entry;
mod output;
mod peer;
mod watch;

pub use entry::main;
