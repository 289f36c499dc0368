//! Namespaces, as the core group of Kubernetes has them. They need not be made: one exists while it holds a job,
//! and `default` always does.

use std::collections::BTreeSet;

use schemas::key::{Key, Revision};
use schemas::meta::ObjectMeta;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::scene::{Name, Scene, document};
use crate::table::{AGE, Column, NAME, text};

/// The namespace that is always there.
const DEFAULT: &str = "default";

/// The columns of `get namespaces`.
pub(crate) const COLUMNS: &[Column] =
    &[NAME, Column::text("Status", "Active", |namespace, _| text(namespace, "/status/phase")), AGE];

/// The names of all namespaces.
pub(crate) fn names(scene: &Scene<'_>) -> Vec<Name> {
    let used = scene.view.jobs.iter().map(|(key, _)| key.segment(1));
    let names: BTreeSet<Name> = used.chain([DEFAULT]).map(|name| Name::new("", name)).collect();
    names.into_iter().collect()
}

/// A namespace.
pub(crate) fn join(scene: &Scene<'_>, name: &Name) -> Option<Value> {
    let jobs = || scene.view.jobs.under(&["jobs", &name.name]).map(|(_, stored)| stored);
    let oldest = jobs().min_by_key(|stored| stored.created);
    if oldest.is_none() && name.name != DEFAULT {
        return None;
    }
    let key = Key::new(format!("/namespaces/{}", name.name)).ok()?;
    let metadata = ObjectMeta {
        name: name.name.clone(),
        labels: [("kubernetes.io/metadata.name".to_owned(), name.name.clone())].into(),
        uid: Some(scene.uid(&key, Revision(1))),
        resource_version: Some(oldest.map_or(1, |stored| stored.created.0).to_string()),
        creation_timestamp: oldest.and_then(|stored| stored.value.metadata.creation_timestamp),
        ..ObjectMeta::default()
    };
    let parts = [("spec", json!({})), ("status", json!({"phase": "Active"}))];
    Some(document(Kind::Namespace, &metadata, &parts))
}
