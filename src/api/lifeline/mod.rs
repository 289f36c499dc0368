//! A server's side of the lifeline: which nodes it hears, written on a change only.
//!
//! `route` reads beats, `admit` judges whether a beat counts, `holders` knows who holds
//! which name, `hearing` remembers who is heard and writes the links.

mod admit;
mod hearing;
mod holders;
mod route;

pub use admit::Refused;
pub use hearing::Hearing;
pub use route::router;
