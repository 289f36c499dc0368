//! Ports that nobody listens on.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{LazyLock, Mutex},
};

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
