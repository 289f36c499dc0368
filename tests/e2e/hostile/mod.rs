//! What anybody may send, and what may lie in the store, that must harm nothing: one row each, a name and an act.
//!
//! After each row the same processes run as before, the server has answered for its health within two seconds all the
//! while, has not grown and has not panicked, and whoever spoke was answered or cut off in time.

mod attack;
mod bodies;
mod floods;
mod judge;
pub mod requests;
pub mod states;
