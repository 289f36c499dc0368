//! How our own programs speak HTTP to a server.

mod client;

pub use client::{DEFAULT_ADDRESS, REST, builder};
