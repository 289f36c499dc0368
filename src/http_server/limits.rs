//! How much is answered at once.

/// How many connections are open at once: each node holds some, people a few.
const CONNECTIONS: usize = 16_384;
/// How many of them from one address. Nomad's value. Many agents behind one address need more: it is configurable.
const PER_ADDRESS: usize = 100;
/// An agent is called by servers that fetch logs.
const OF_AGENT: (usize, usize) = (512, 256);
/// File descriptors that are not for connections: the store, logs, timers, what is dialled.
const SPARE_FILES: u64 = 256;
/// However few files a process may open, it answers these.
const FEWEST: usize = 64;

/// How much is answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address; a program's own machine has [`Limits::LOOPBACK`] times as many.
    pub per_address: usize,
    /// Paths that are answered to connections above the limits too.
    pub always: &'static [&'static str],
}

impl Limits {
    /// Programs of one machine come from one address, and are many.
    pub const LOOPBACK: usize = 8;

    /// Of a server; `per_address` as the operator says, 0 for no limit.
    pub fn of_server(per_address: Option<usize>) -> Limits {
        let per_address = match per_address {
            None => PER_ADDRESS,
            Some(0) => usize::MAX,
            Some(some) => some,
        };
        let always = &["/livez", "/readyz", "/healthz"];
        Limits { connections: within_files(CONNECTIONS), per_address, always }
    }

    /// Of an agent.
    pub fn of_agent() -> Limits {
        let (connections, per_address) = OF_AGENT;
        Limits { connections: within_files(connections), per_address, always: &[] }
    }
}

/// No more connections than files may be open.
fn within_files(connections: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let room = files
        .map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX));
    connections.min(room).max(FEWEST)
}
