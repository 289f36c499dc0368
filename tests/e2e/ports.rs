//! Ports that nobody listens on.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{Arc, LazyLock, Mutex},
};

/// Ports for the tasks of one node, which no other node of any running test is given.
#[derive(Clone, Debug)]
pub struct Range {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// Listens on the port before the first for as long as the range is taken.
    _claim: Arc<TcpListener>,
}

const RANGES_BEGIN: u16 = 20_000;
const RANGES_END: u16 = 32_000;
const RANGE: u16 = 100;

/// A range for a node: claimed between processes by listening on its first port.
pub fn range() -> Range {
    let begins = (RANGES_BEGIN..RANGES_END).step_by(usize::from(RANGE));
    let mut claims = begins.filter_map(|begin| Some((begin, TcpListener::bind(("127.0.0.1", begin)).ok()?)));
    let (begin, claim) = claims.next().expect("a range of ports is free");
    Range { first: begin + 1, last: begin + RANGE - 1, _claim: Arc::new(claim) }
}

static GIVEN: LazyLock<Mutex<BTreeSet<u16>>> = LazyLock::new(Mutex::default);

/// A port on loopback that is free now and that this process gives out once.
pub fn free() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        if GIVEN.lock().expect("no test panics while it takes a port").insert(port) {
            return port;
        }
    }
}
