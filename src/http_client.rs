//! How our own programs speak HTTP to a server.

use std::time::Duration;

/// A connection at rest is let go after this, well before the server closes it: a request that crosses the closing
/// fails, and nobody knows whether it was done.
pub const REST: Duration = Duration::from_secs(5);

/// A client that may be configured further.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().pool_idle_timeout(REST)
}
