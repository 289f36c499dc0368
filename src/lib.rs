//! Encamp as a library: the rooms that `main` and the tests wire together.

pub mod api;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod control;
pub mod forecast;
pub mod http_client;
pub mod http_server;
pub mod node;
pub mod process;
pub mod store;
pub mod telemetry;
