//! Events, in the shape that `kubectl describe` reads.

use schemas::key::Key;
use schemas::meta::ObjectMeta;
use serde_json::{Value, json};

use super::catalog;
use crate::kind::{GROUP_VERSION, Kind};
use crate::scene::{Name, Scene, document};
use crate::table::{Column, age, text};

/// The columns of `get events`.
pub(crate) const COLUMNS: &[Column] = &[
    Column::text("Last Seen", "Time since it happened", |event, now| {
        json!(age(&event["lastTimestamp"], now))
    }),
    Column::text("Type", "Normal or Warning", |event, _| text(event, "/type")),
    Column::text("Reason", "What happened, in a word", |event, _| text(event, "/reason")),
    Column::text("Object", "What it happened to", |event, _| {
        let object = &event["involvedObject"];
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        json!(format!("{kind}/{}", object["name"].as_str().unwrap_or_default()))
    }),
    Column::text("Message", "What happened", |event, _| text(event, "/message")),
];

/// The names of all events.
pub(crate) fn names(scene: &Scene<'_>, namespace: Option<&str>) -> Vec<Name> {
    let is_here = |name: &&Name| namespace.is_none_or(|namespace| name.namespace == namespace);
    scene.events.names().filter(is_here).cloned().collect()
}

/// One event.
pub(crate) fn join(scene: &Scene<'_>, kind: Kind, name: &Name) -> Option<Value> {
    let event = scene.events.get(name)?;
    let key = Key::new(format!("/events/{}/{}", name.namespace, name.name)).ok()?;
    let metadata = ObjectMeta {
        name: name.name.clone(),
        namespace: name.namespace.clone(),
        uid: Some(scene.uid(&key, event.revision)),
        resource_version: Some(event.revision.to_string()),
        creation_timestamp: Some(event.at),
        ..ObjectMeta::default()
    };
    let at = json!(event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let parts = [
        (
            "involvedObject",
            json!({
                "apiVersion": GROUP_VERSION, "kind": event.kind.words().kind,
                "uid": catalog::uid(scene, event.kind, &event.about).unwrap_or_default(),
                "namespace": event.about.namespace, "name": event.about.name,
            }),
        ),
        ("reason", json!(event.reason)),
        ("message", json!(event.message)),
        ("type", json!(if event.is_warning { "Warning" } else { "Normal" })),
        ("source", json!({"component": event.source})),
        ("eventTime", json!(event.at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())),
        ("firstTimestamp", at.clone()),
        ("lastTimestamp", at),
        ("count", json!(1)),
    ];
    Some(document(kind, &metadata, &parts))
}
