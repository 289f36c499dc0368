//! Nodes: what agents found, what people decided, whether they are heard and what is taken, joined.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plan::View;
use schemars::JsonSchema;
use schemas::agent_documents;
use schemas::key::Key;
use schemas::liveness::Brake;
use schemas::meta::{Condition, ObjectMeta};
use schemas::node::{Amount, DriverHealth, Fingerprint, Health, HostVolume, NodeSpec, NodeState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::scene::{Name, Scene, document, newest, part, written};
use crate::table::{AGE, Column, NAME, text};
use crate::unreadable;

/// How many orphans a node's condition names: enough to know which jobs are meant.
const ORPHANS_NAMED: usize = 10;

/// What a node is and has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeStatus {
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
    /// Its own id, which it keeps under any name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
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
    /// Whether memory may be promised to several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memory_oversubscription: bool,
    /// Directories that groups may mount.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub host_volumes: BTreeMap<String, HostVolume>,
    /// `Ready` and `Eligible`; `HeldByBrake` while the node is silent and not given up; `Unreadable` while a document of
    /// it cannot be read; `Callable` where the agent's address is none; `FollowsStore` and `Orphans` where there is
    /// something to say.
    pub conditions: Vec<Condition>,
}

/// The condition of a silent node that is not given up yet.
const HELD: &str = "HeldByBrake";

/// The columns of `get nodes`.
pub(crate) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Pool", "The pool that jobs choose", |node, _| text(node, "/status/pool")),
    Column::text("DC", "The datacenter", |node, _| text(node, "/status/datacenter")),
    Column::text("Class", "Machines that are alike", |node, _| text(node, "/status/class")),
    Column::text("Status", "Whether it is up", |node, _| state(node)),
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

/// The names of all nodes: of every machine that an agent, a person or a server spoke of.
pub(crate) fn names(scene: &Scene<'_>) -> Vec<Name> {
    let found = scene.view.fingerprints.iter().map(|(key, _)| key);
    let decided = scene.view.nodes.iter().map(|(key, _)| key);
    let heard = scene.view.health.iter().map(|(key, _)| key);
    let kinds = ["fingerprints", "nodes", "health"];
    let unreadable = kinds.into_iter().flat_map(|kind| unreadable::keys(scene, &[kind]));
    let keys = found.chain(decided).chain(heard).chain(unreadable);
    let names: BTreeSet<Name> = keys.map(|key| Name::new("", key.segment(1))).collect();
    names.into_iter().collect()
}

/// A node.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let (view, node) = (scene.view, name.name.as_str());
    let found = view.fingerprints.stored(&Key::fingerprint(node));
    let decided = view.nodes.stored(&Key::node(node));
    let health = view.health.stored(&Key::health(node));
    let link = view.links.stored(&Key::link(node));
    let created = match (found, decided, health) {
        (Some(found), _, _) => found.created,
        (None, Some(decided), _) => decided.created,
        (None, None, Some(health)) => health.created,
        (None, None, None) => {
            let keys = [Key::fingerprint(node), Key::node(node), Key::health(node)];
            keys.iter().find_map(|key| view.unreadable.counters(key))?.created
        }
    };
    let spec = decided.map(|stored| stored.value.spec.clone()).unwrap_or_default();
    let fingerprint = found.map(|stored| stored.value.clone()).unwrap_or_default();
    let heard = health.map(|stored| stored.value.clone()).unwrap_or_default();
    let server = link.filter(|link| link.value.connected).map(|link| link.value.server.clone());
    let usage = view.indexes.usage(node);
    let brake = view.brakes.stored(&Key::brake()).filter(|brake| brake.value.waiting.contains(node));
    let unread = unreadable::written_for_node(scene, node);
    let halves = [written(found), written(decided), written(health), written(link), written(brake), unread];
    let halves = newest(halves);
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
    conditions.extend(brake.map(|brake| held(&brake.value)));
    conditions.extend(unreadable::of_node(scene, node));
    conditions.extend(abroad(view, &fingerprint));
    conditions.extend(orphans(view, node));
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
        id,
        session: _,
        attributes,
        meta,
        drivers,
        capacity,
        reserved: _,
        reserved_ports: _,
        dynamic_ports: _,
        memory_oversubscription,
        host_volumes,
        follows: _,
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
        id,
        server: String::new(),
        capacity,
        allocatable,
        used: Amount::default(),
        allocations: 0,
        drivers,
        attributes,
        meta,
        memory_oversubscription,
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

/// That the node takes nothing from this store.
fn abroad(view: &View, found: &Fingerprint) -> Option<Condition> {
    (!view.is_followed_by(found)).then(|| Condition {
        kind: "FollowsStore".to_owned(),
        status: "False".to_owned(),
        reason: "AnotherStore".to_owned(),
        message: format!(
            "the agent follows the store {}: its tasks go on and it takes nothing from this one; if this store is \
             the right one: encamp operator store accept",
            found.follows
        ),
        ..Condition::default()
    })
}

/// That the node runs what has no placement.
fn orphans(view: &View, node: &str) -> Option<Condition> {
    let of_node = view.indexes.orphans().filter(|(key, _)| key.segment(1) == node);
    let names: Vec<String> =
        of_node.map(|(key, _)| format!("{}/{}", key.segment(2), key.segment(3))).collect();
    (!names.is_empty()).then(|| Condition {
        kind: "Orphans".to_owned(),
        status: "True".to_owned(),
        reason: "PlacementMissing".to_owned(),
        message: format!(
            "{} allocations run without a placement: {}; they go on until their job says otherwise: apply it again \
             to keep them, and delete it then to end them",
            names.len(),
            names.iter().take(ORPHANS_NAMED).cloned().collect::<Vec<_>>().join(", ")
        ),
        ..Condition::default()
    })
}

/// The condition of a silent node that is not given up yet.
fn held(brake: &Brake) -> Condition {
    let next = match brake.next {
        Some(next) => format!("the next is given up at {next}"),
        None => "none is given up while all are silent".to_owned(),
    };
    Condition {
        kind: HELD.to_owned(),
        status: "True".to_owned(),
        reason: "ManyAreSilent".to_owned(),
        message: format!(
            "silent; many nodes fell silent at once, so they are given up one by one: {next}; \
             `encamp operator brake release` gives them up at once"
        ),
        last_transition_time: brake.since,
        observed_generation: None,
    }
}

/// `ready`, `down`, or `silent` while the brake keeps it from being given up.
fn state(node: &Value) -> Value {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let is_held = conditions.any(|condition| condition["type"] == HELD && condition["status"] == "True");
    if is_held { json!("silent") } else { text(node, "/status/state") }
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
pub(crate) fn exists(scene: &Scene<'_>, name: &Name) -> bool {
    let view = scene.view;
    let keys = [Key::fingerprint(&name.name), Key::node(&name.name), Key::health(&name.name)];
    keys.iter().any(|key| view.counters(key).is_some())
}
