//! Which file knows which kind.

use schemas::key::Key;
use serde_json::Value;

use super::{allocations, deployments, events, jobs, namespaces, nodes, versions};
use crate::kind::Kind;
use crate::scene::{Name, Scene};
use crate::table::Column;

/// The names of all documents of a kind, sorted; of one namespace if one is given.
pub(crate) fn names(scene: &Scene<'_>, kind: Kind, namespace: Option<&str>) -> Vec<Name> {
    match kind {
        Kind::Job => jobs::names(scene, namespace),
        Kind::JobVersion => versions::names(scene, namespace),
        Kind::Allocation => allocations::names(scene, namespace),
        Kind::Deployment => deployments::names(scene, namespace),
        Kind::Node => nodes::names(scene),
        Kind::Event | Kind::CoreEvent => events::names(scene, namespace),
        Kind::Namespace => namespaces::names(scene),
    }
}

/// One document as it is now.
pub(crate) fn join(scene: &Scene<'_>, kind: Kind, name: &Name) -> Option<Value> {
    match kind {
        Kind::Job => jobs::join(scene, name),
        Kind::JobVersion => versions::join(scene, name),
        Kind::Allocation => allocations::join(scene, name),
        Kind::Deployment => deployments::join(scene, name),
        Kind::Node => nodes::join(scene, name),
        Kind::Event | Kind::CoreEvent => events::join(scene, kind, name),
        Kind::Namespace => namespaces::join(scene, name),
    }
}

/// The columns of a kind's table.
pub(crate) fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Job => jobs::COLUMNS,
        Kind::JobVersion => versions::COLUMNS,
        Kind::Allocation => allocations::COLUMNS,
        Kind::Deployment => deployments::COLUMNS,
        Kind::Node => nodes::COLUMNS,
        Kind::Event | Kind::CoreEvent => events::COLUMNS,
        Kind::Namespace => namespaces::COLUMNS,
    }
}

/// The fields that documents of a kind may be selected by, besides name and namespace.
pub(crate) fn selectable(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => &["spec.type", "spec.nodePool", "spec.priority", "status.phase"],
        Kind::JobVersion => &["spec.job", "spec.version"],
        Kind::Allocation => {
            &["spec.job", "spec.group", "spec.node", "spec.version", "spec.desired", "status.phase"]
        }
        Kind::Deployment => &["spec.job", "spec.version", "status.status"],
        Kind::Node => &["spec.eligible", "status.state", "status.datacenter", "status.pool", "status.class"],
        Kind::Namespace => &["status.phase"],
        Kind::Event | Kind::CoreEvent => &[
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "reason",
            "type",
        ],
    }
}

/// Whether a document is there.
pub(crate) fn exists(scene: &Scene<'_>, kind: Kind, name: &Name) -> bool {
    let (view, namespace) = (scene.view, name.namespace.as_str());
    match kind {
        Kind::Job => view.counters(&Key::job(namespace, &name.name)).is_some(),
        Kind::Allocation => allocations::exists(scene, name),
        Kind::Node => nodes::exists(scene, name),
        Kind::JobVersion | Kind::Deployment | Kind::Event | Kind::CoreEvent | Kind::Namespace => {
            join(scene, kind, name).is_some()
        }
    }
}

/// The identity of a document that an event may be about, without joining it.
pub(crate) fn uid(scene: &Scene<'_>, kind: Kind, name: &Name) -> Option<String> {
    let (view, namespace) = (scene.view, name.namespace.as_str());
    let (key, created) = match kind {
        Kind::Job => {
            let key = Key::job(namespace, &name.name);
            let created = view.counters(&key)?.created;
            (key, created)
        }
        Kind::Allocation => return allocations::uid(scene, name),
        Kind::Node => {
            let key = Key::fingerprint(&name.name);
            let created = view.counters(&key)?.created;
            (key, created)
        }
        Kind::Deployment => {
            let (job, version) = versions::parse(&name.name)?;
            let key = Key::deployment(namespace, job, version);
            let created = view.deployments.stored(&key)?.created;
            (key, created)
        }
        Kind::JobVersion | Kind::Event | Kind::CoreEvent | Kind::Namespace => return None,
    };
    Some(scene.uid(&key, created))
}
