//! Purging a node: the readable word that whatever was placed on it is to be given up.
//!
//! A node that is heard cannot be purged, for its tasks would be started elsewhere while they still run there. What
//! stays is a tombstone: should the machine come back, its agent ends what was placed before it.

use plan::{Guard, Write};
use schemas::key::Key;
use schemas::node::NodeState;
use schemas::tombstone::Tombstone;
use serde_json::Value;

use super::body::Sent;
use super::commit::{Done, Seen};
use super::kind::Kind;
use super::missing::missing;
use super::refusal::Refusal;
use super::resources::nodes;
use super::scene::{Name, Scene};
use super::server::Server;
use super::write::{Manner, shown};
use store::Txn;

/// Purges a node that is not heard.
pub(super) async fn purge(
    server: &Server,
    name: &Name,
    sent: &Sent,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    let options = if sent.bytes.is_empty() { Value::Null } else { sent.document()? };
    let seen = Seen::of(&options["preconditions"])?;
    let is_dry = manner.is_dry || options["dryRun"].as_array().is_some_and(|dry| !dry.is_empty());
    let document = shown(server, Kind::Node, name);
    let txn = server.look(|scene| {
        may_be_purged(scene, name, &document, &seen)?;
        Ok::<Txn, Refusal>(last_word(scene, &name.name))
    })?;
    if !is_dry {
        let committed = server.commit(txn).await;
        let revision = committed.map_err(|error| Refusal::of_commit(error, Kind::Node, &name.name))?;
        tracing::warn!(node = name.name, "the node was purged");
        server.shown(revision).await;
    }
    Ok(Done { document, is_new: false, warnings: Vec::new() })
}

fn may_be_purged(scene: &Scene<'_>, name: &Name, shown: &Value, seen: &Seen) -> Result<(), Refusal> {
    if !nodes::exists(scene, name) {
        return Err(missing(scene, Kind::Node, name));
    }
    let conflict = |why: &str| Err(Refusal::conflict(Kind::Node, &name.name, why));
    let is_another = seen.uid.as_ref().is_some_and(|uid| shown["metadata"]["uid"] != uid.as_str());
    let revision = shown["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse::<u64>().ok());
    if is_another || seen.revision.is_some_and(|seen| revision.is_some_and(|now| now > seen.0)) {
        return conflict("the object has been modified; please look at it again");
    }
    let state = scene.view.health.get(&Key::health(&name.name)).map(|health| health.state);
    let is_linked = scene.view.links.get(&Key::link(&name.name)).is_some_and(|link| link.connected);
    match state {
        Some(NodeState::Down) => Ok(()),
        Some(NodeState::Initializing) | None if !is_linked => Ok(()),
        Some(NodeState::Ready | NodeState::Initializing) | None => conflict(
            "its agent is heard, and what it runs would be started elsewhere while it goes on there: stop the agent \
             first, and wait until the node is down",
        ),
    }
}

/// The tombstone, and nothing else of the node: what its agent said of allocations is the agent's to take away.
fn last_word(scene: &Scene<'_>, node: &str) -> Txn {
    let view = scene.view;
    let keys = [Key::fingerprint(node), Key::node(node), Key::link(node), Key::health(node)];
    let tombstone = Key::tombstone(node);
    let guards: Vec<Guard> = keys.iter().chain([&tombstone]).map(|key| view.as_seen(key)).collect();
    let word = Write::put(tombstone, &Tombstone { purged_at: Some(scene.now) });
    let deletions = keys.into_iter().map(|key| Write::Delete { key });
    Txn { guards, writes: std::iter::once(word).chain(deletions).collect() }
}
