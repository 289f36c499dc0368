//! The time, as a value that is handed to whoever needs it.

mod time;

pub use time::Clock;
