//! Nodes: what agents found, what people decided, whether they are heard and what is taken, joined.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use schemas::agent_documents;
use schemas::key::Key;
use schemas::meta::{Condition, ObjectMeta};
use schemas::node::{Amount, DriverHealth, Fingerprint, Health, HostVolume, NodeSpec, NodeState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::kind::Kind;
use crate::api::scene::{Name, Scene, document, newest, part, written};
use crate::api::table::{AGE, Column, NAME, text};
use crate::api::unreadable;

/// What a node is and has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::api) struct NodeStatus {
    /// Whether it is up.
    pub state: NodeState,
    /// Where the machine stands.
    pub datacenter: String,
    /// Its region.
    pub region: String,
    /// The pool that jobs choose with `nodePool`.
    pub pool: String,
    /// A word for machines that are alike.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// Where the agent answers.
    pub address: String,
    /// The address that tasks are reached at.
    pub host_ip: String,
    /// Version of the agent.
    pub agent_version: String,
    /// The server that hears it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// All that the machine has.
    pub capacity: Amount,
    /// What tasks may use in all.
    pub allocatable: Amount,
    /// What is taken.
    pub used: Amount,
    /// How many allocations are on it.
    pub allocations: u32,
    /// Which drivers there are, and whether they work.
    pub drivers: BTreeMap<String, DriverHealth>,
    /// Facts about the machine.
    pub attributes: BTreeMap<String, String>,
    /// Words of the agent's configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Directories that groups may mount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub host_volumes: BTreeMap<String, HostVolume>,
    /// `Ready` and `Eligible`; `Unreadable` while a document of it cannot be read, `Callable` where the agent's address
    /// is none.
    pub conditions: Vec<Condition>,
}

/// The columns of `get nodes`.
pub(in crate::api) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Pool", "The pool that jobs choose", |node, _| text(node, "/status/pool")),
    Column::text("DC", "The datacenter", |node, _| text(node, "/status/datacenter")),
    Column::text("Class", "Machines that are alike", |node, _| text(node, "/status/class")),
    Column::text("Status", "Whether it is up", |node, _| text(node, "/status/state")),
    Column::text("Eligible", "Whether new allocations may be placed", |node, _| {
        json!(node["spec"]["eligible"].as_bool().unwrap_or(true).to_string())
    }),
    Column::text("Drivers", "The drivers that work", |node, _| drivers(node)),
    Column::integer("Allocs", "How many allocations are on it", |node, _| text(node, "/status/allocations")),
    Column::text("Version", "Version of the agent", |node, _| text(node, "/status/agentVersion")),
    AGE,
    Column::text("Address", "Where the agent answers", |node, _| text(node, "/status/address")).wide(),
    Column::text("CPU", "MHz taken of all", |node, _| share(node, "cpu")).wide(),
    Column::text("Memory", "MB taken of all", |node, _| share(node, "memory")).wide(),
];

fn drivers(node: &Value) -> Value {
    let drivers = node["status"]["drivers"].as_object().into_iter().flatten();
    let working: Vec<&str> =
        drivers.filter(|(_, health)| health["healthy"] == true).map(|(name, _)| name.as_str()).collect();
    if working.is_empty() { json!("<none>") } else { json!(working.join(",")) }
}

fn share(node: &Value, what: &str) -> Value {
    json!(format!("{}/{}", node["status"]["used"][what], node["status"]["allocatable"][what]))
}

/// The names of all nodes: of every machine that an agent or a person spoke of.
pub(in crate::api) fn names(scene: &Scene<'_>) -> Vec<Name> {
    let found = scene.view.fingerprints.iter().map(|(key, _)| key);
    let decided = scene.view.nodes.iter().map(|(key, _)| key);
    let unreadable = ["fingerprints", "nodes"].into_iter().flat_map(|kind| unreadable::keys(scene, &[kind]));
    let keys = found.chain(decided).chain(unreadable);
    let names: BTreeSet<Name> = keys.map(|key| Name::new("", key.segment(1))).collect();
    names.into_iter().collect()
}

/// A node.
pub(in crate::api) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let (view, node) = (scene.view, name.name.as_str());
    let found = view.fingerprints.stored(&Key::fingerprint(node));
    let decided = view.nodes.stored(&Key::node(node));
    let health = view.health.stored(&Key::health(node));
    let link = view.links.stored(&Key::link(node));
    let created = match (found, decided) {
        (Some(found), _) => found.created,
        (None, Some(decided)) => decided.created,
        (None, None) => {
            let keys = [Key::fingerprint(node), Key::node(node)];
            keys.iter().find_map(|key| view.unreadable.counters(key))?.created
        }
    };
    let spec = decided.map(|stored| stored.value.spec.clone()).unwrap_or_default();
    let fingerprint = found.map(|stored| stored.value.clone()).unwrap_or_default();
    let heard = health.map(|stored| stored.value.clone()).unwrap_or_default();
    let server = link.filter(|link| link.value.connected).map(|link| link.value.server.clone());
    let usage = view.indexes.usage(node);
    let unread = unreadable::written_for_node(scene, node);
    let halves = newest([written(found), written(decided), written(health), written(link), unread]);
    let base = decided.map(|stored| stored.value.metadata.clone()).unwrap_or_default();
    // It may be spoken of before it is first heard, or (what people decided) much later.
    let known_since = heard.known_since.into_iter().chain(base.creation_timestamp).min();
    let metadata = ObjectMeta {
        name: node.to_owned(),
        namespace: String::new(),
        labels: labels(base.labels.clone(), &fingerprint),
        uid: Some(scene.uid(&Key::fingerprint(node), created)),
        generation: Some(decided.map_or(1, |stored| stored.version + 1)),
        creation_timestamp: known_since,
        resource_version: Some(halves.to_string()),
        ..base
    };
    let mut conditions = conditions(&heard, &spec, decided.and_then(|stored| stored.value.eligible_since));
    conditions.extend(unreadable::of_node(scene, node));
    conditions.extend(address(&fingerprint));
    let status = NodeStatus {
        used: usage.amount,
        allocations: usage.allocations,
        server: server.unwrap_or_default(),
        conditions,
        ..status(fingerprint, &heard)
    };
    Some(document(Kind::Node, &metadata, &[("spec", part(&spec)), ("status", part(&status))]))
}

fn labels(mut labels: BTreeMap<String, String>, found: &Fingerprint) -> BTreeMap<String, String> {
    let own = [("pool", &found.pool), ("datacenter", &found.datacenter), ("class", &found.class)];
    for (label, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
        labels.insert(format!("encamp.dev/{label}"), value.clone());
    }
    labels
}

fn status(found: Fingerprint, heard: &Health) -> NodeStatus {
    let allocatable = found.usable();
    let Fingerprint {
        datacenter,
        region,
        pool,
        class,
        address,
        host_ip,
        agent_version,
        attributes,
        meta,
        drivers,
        capacity,
        reserved: _,
        reserved_ports: _,
        dynamic_ports: _,
        host_volumes,
    } = found;
    NodeStatus {
        state: heard.state,
        datacenter,
        region,
        pool,
        class,
        address,
        host_ip,
        agent_version,
        server: String::new(),
        capacity,
        allocatable,
        used: Amount::default(),
        allocations: 0,
        drivers,
        attributes,
        meta,
        host_volumes,
        conditions: Vec::new(),
    }
}

fn conditions(heard: &Health, spec: &NodeSpec, eligible_since: Option<Timestamp>) -> Vec<Condition> {
    let (status, reason, said) = match heard.state {
        NodeState::Ready => ("True", "Heard", "the agent is heard"),
        NodeState::Down => ("False", "Silent", "the agent is silent"),
        NodeState::Initializing => ("Unknown", "NotHeardYet", "the agent was not heard yet"),
    };
    let ready = Condition {
        kind: "Ready".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: if heard.reason.is_empty() { said.to_owned() } else { heard.reason.clone() },
        last_transition_time: heard.since,
        observed_generation: None,
    };
    let eligible = Condition {
        kind: "Eligible".to_owned(),
        status: if spec.eligible { "True" } else { "False" }.to_owned(),
        reason: if spec.eligible { "Open" } else { "ClosedByUser" }.to_owned(),
        last_transition_time: eligible_since,
        ..Condition::default()
    };
    vec![ready, eligible]
}

/// Said only where servers cannot call the agent: its logs cannot be read, all else goes on.
fn address(found: &Fingerprint) -> Vec<Condition> {
    let Err(unfit) = agent_documents::address(found) else { return Vec::new() };
    vec![Condition {
        kind: "Callable".to_owned(),
        status: "False".to_owned(),
        reason: "AddressInvalid".to_owned(),
        message: unfit.to_string(),
        ..Condition::default()
    }]
}

/// Whether there is such a node.
pub(in crate::api) fn exists(scene: &Scene<'_>, name: &Name) -> bool {
    let view = scene.view;
    let keys = [Key::fingerprint(&name.name), Key::node(&name.name)];
    keys.iter().any(|key| view.counters(key).is_some())
}
