//! One connection, as the requests on it know it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::debts::Debts;

/// The connection that a request came on: an extension of every request.
#[derive(Clone, Debug)]
pub struct Connection {
    peer: SocketAddr,
    pub(super) debts: Arc<Debts>,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr) -> Connection {
        Connection { peer, debts: Arc::default() }
    }

    /// Who sent it.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}
