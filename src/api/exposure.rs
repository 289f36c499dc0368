//! Who can reach what: a listener off loopback is open to whoever reaches the machine, and this is said aloud.
//!
//! Nothing here protects anything: authentication and TLS are not built.

use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use plan::View;
use serde_json::{Value, json};

use super::kind::GROUP_VERSION;
use cache::Cache;

/// What listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// A server's API.
    Api(SocketAddr),
    /// An agent, for servers that ask for logs.
    Agent(SocketAddr),
}

/// What an operator must know of a listener, if others than this machine reach it.
pub fn warning(listening: Listening) -> Option<String> {
    let (Listening::Api(address) | Listening::Agent(address)) = listening;
    if address.ip().to_canonical().is_loopback() {
        return None;
    }
    Some(match listening {
        Listening::Api(_) => format!(
            "the API listens on {address} without authentication and without TLS: whoever reaches this address may run \
             anything on every node and read every secret; listen on 127.0.0.1, or let only those reach it who may do that"
        ),
        Listening::Agent(_) => format!(
            "the agent listens on {address} without authentication and without TLS: whoever reaches this address may read \
             the logs of all its tasks"
        ),
    })
}

/// The route that tells `encamp status` what stands open: this server's listener, and agents off loopback.
pub fn router(address: SocketAddr, cache: Cache) -> Router {
    let tell = move || {
        let of_agents = agents(&cache.view());
        let warnings: Vec<String> = warning(Listening::Api(address)).into_iter().chain(of_agents).collect();
        std::future::ready(Json::<Value>(
            json!({"apiVersion": GROUP_VERSION, "kind": "Exposure", "warnings": warnings}),
        ))
    };
    Router::new().route("/apis/encamp.dev/v1/exposure", get(tell))
}

/// The agents that others than their own machine reach, as one sentence.
fn agents(view: &View) -> Option<String> {
    let is_open = |address: &str| {
        let ip = address.parse::<SocketAddr>().map(|address| address.ip().to_canonical());
        !address.is_empty() && !ip.is_ok_and(|ip| ip.is_loopback()) && !address.starts_with("localhost:")
    };
    let mut open = view.fingerprints.iter().filter(|(_, node)| is_open(&node.value.address));
    let (key, first) = open.next()?;
    let others = match open.count() {
        0 => String::new(),
        more => format!(" and those of {more} other nodes"),
    };
    let (name, address) = (key.segment(1), &first.value.address);
    Some(format!(
        "the agent of {name} at {address}{others} can be reached without authentication and without TLS: whoever does may \
         read the logs of all tasks there"
    ))
}

#[cfg(test)]
mod tests {
    use plan::Write;
    use schemas::key::Key;
    use schemas::node::Fingerprint;

    use super::*;

    #[test]
    fn only_loopback_goes_without_a_warning() {
        let said = |address: &str| warning(Listening::Api(address.parse().unwrap())).is_some();
        for quiet in ["127.0.0.1:4646", "127.8.8.8:1", "[::1]:4646", "[::ffff:127.0.0.1]:4646"] {
            assert!(!said(quiet), "{quiet}");
        }
        for open in ["0.0.0.0:4646", "[::]:4646", "10.0.0.1:4646", "192.168.1.7:80", "[fd00::1]:4646"] {
            assert!(said(open), "{open}");
        }
        let agent = warning(Listening::Agent("0.0.0.0:70".parse().unwrap())).unwrap();
        assert!(agent.starts_with("the agent listens on 0.0.0.0:70 without authentication"), "{agent}");
    }

    #[test]
    fn agents_off_loopback_are_told_in_one_sentence() {
        let mut view = View::default();
        assert_eq!(agents(&view), None);
        let rows = [("n1", "127.0.0.1:70"), ("n2", "10.0.0.2:70"), ("n3", "n3.example.org:70"), ("n4", "")];
        let writes = rows.map(|(name, address)| {
            let fingerprint = Fingerprint { address: address.to_owned(), ..Fingerprint::default() };
            Write::put(Key::fingerprint(name), &fingerprint)
        });
        view.suppose(&writes);
        let said = agents(&view).unwrap();
        assert!(
            said.starts_with("the agent of n2 at 10.0.0.2:70 and those of 1 other nodes can be"),
            "{said}"
        );
    }
}
