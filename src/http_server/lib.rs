//! How our own programs answer HTTP: to as many as there is room for, and to nobody for ever.
//!
//! Whoever connects has a time to say what it wants, a time and a pace for what it sends, and a time to read what it
//! gets. Connections are counted, all and by address; large answers are counted by the bytes that wait to be read.
//! Questions after the health of the program are answered although everything else is full.

mod connection;
mod crowd;
mod debts;
mod greeting;
mod inlet;
mod limits;
mod outlet;
mod serve;
mod socket;

pub use connection::Connection;
pub use limits::Limits;
pub use outlet::bounded;
pub use serve::serve;
