//! What would follow if a job was written: the planners of production, asked on a copy of the view in which agents
//! obey at once.
//!
//! Pure: the same view, writes and time give the same answer, and nothing is written. The answer holds if nothing
//! else happens meanwhile and whatever starts becomes healthy; what would fail is not known before it is tried.
//! Planners wait for nothing but reports here, so what time alone would bring (an attempt after a delay, a deadline)
//! is not in the answer.

mod agents;
mod foresee;
mod outcome;
#[cfg(test)]
mod tests;

pub use foresee::forecast;
pub use outcome::Outcome;
