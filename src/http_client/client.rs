//! The client that all of them begin with.

use std::time::Duration;

/// The address of a server on this machine: Nomad's port, so that habits hold.
pub const DEFAULT_ADDRESS: &str = "http://127.0.0.1:4646";

/// A connection at rest is let go after this, well before the server closes it: a request that crosses the closing
/// fails, and nobody knows whether it was done.
pub const REST: Duration = Duration::from_secs(5);

/// A client that may be configured further.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().pool_idle_timeout(REST)
}
