//! A server's side of the lifeline: which nodes it hears, written on a change only.
//!
//! `route` reads beats, `admit` judges whether a beat counts, `holders` knows who holds which name, `heard` decides what the link of one node should say,
//! `listening` tells the server's own pauses, and `hearing` remembers who is heard and writes the links.

mod admit;
mod heard;
mod hearing;
mod holders;
mod listening;
mod route;

pub use admit::Refused;
pub use hearing::Hearing;
pub use route::router;
