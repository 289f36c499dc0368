//! Requests on the router, over a memory store: what no kubectl shows.

mod applying;
mod losing;
mod reverting;
mod secrets;
mod showing;
mod unreadable;
mod watching;
pub(super) mod world;
mod writing;
