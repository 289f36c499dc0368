//! Writing what people decide about nodes. What agents found is not theirs to change.

use plan::Write;
use plan::view::Stored;
use schemas::key::Key;
use schemas::limits;
use schemas::liveness;
use schemas::node::{Node, NodeSpec};
use serde_json::{Value, json};

use super::admission;
use super::body::Sent;
use super::commit::{Change, Done, Seen, Target, Weight, change};
use super::kind::{GROUP_VERSION, Kind};
use super::missing::missing;
use super::patch::{self, Patch};
use super::refusal::{Cause, Refusal};
use super::resources::nodes;
use super::scene::{Name, part};
use super::server::Server;
use super::write::{Manner, shown};

/// Replaces what was decided about a node.
pub(super) async fn replace(
    server: &Server,
    name: &Name,
    sent: &Sent,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    let body = server.think(|| sent.document()).await??;
    run(server, name, manner, |_| Ok(body.clone())).await
}

/// Changes what was decided about a node.
pub(super) async fn patch(
    server: &Server,
    name: &Name,
    patch: &Patch,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    run(server, name, manner, |current| match patch {
        Patch::Merge(patch) => Ok(patch::merge(&current, patch)),
        Patch::Apply(_) => Err(Refusal::unsupported_media_type(
            "nodes have no field owners: use application/merge-patch+json or application/json-patch+json",
        )),
        Patch::Json(patch) => patch::json(&current, patch),
    })
    .await
}

async fn run(
    server: &Server,
    name: &Name,
    manner: &Manner,
    make: impl Fn(Value) -> Result<Value, Refusal> + Sync,
) -> Result<Done<Value>, Refusal> {
    if !server.look(|scene| nodes::exists(scene, name)) {
        return Err(server.look(|scene| missing(scene, Kind::Node, name)));
    }
    let key = Key::node(&name.name);
    let target = Target { kind: Kind::Node, name, key: &key, is_dry: manner.is_dry };
    let cached = server.look(|scene| scene.view.nodes.stored(&key).cloned());
    let now = server.now();
    let done = change(server, &target, cached, |stored: Option<&Stored<Node>>| {
        let old = stored.map(|stored| stored.value.clone()).unwrap_or_default();
        let mut metadata = old.metadata.clone();
        metadata.name.clone_from(&name.name);
        let current = json!({
            "apiVersion": GROUP_VERSION, "kind": Kind::Node.words().kind,
            "metadata": part(&metadata), "spec": part(&old.spec),
        });
        let made = make(current)?;
        if let Some(why) = limits::excess(&made) {
            return Err(Refusal::bad_request(format!("the document is too much: {why}")));
        }
        let seen = Seen::of(&made["metadata"])?;
        let mut parts = admission::split(Kind::Node, made, name)?;
        let mut warnings = Vec::new();
        admission::metadata_is_known(&parts.metadata, (manner.validation, &mut warnings))?;
        let spec: NodeSpec = admission::decode_spec(
            &mut parts.spec,
            (Kind::Node, &name.name),
            (manner.validation, &mut warnings),
        )?;
        if let Some(why) = spec.heartbeat_grace.and_then(liveness::grace_mistake) {
            let field = "spec.heartbeatGrace".to_owned();
            let cause = Cause { reason: "FieldValueInvalid", message: why, field };
            return Err(Refusal::invalid(Kind::Node, &name.name, vec![cause]));
        }
        let mut metadata = admission::metadata(Kind::Node, parts.metadata, name)?;
        // These follow from the fingerprint and are not stored.
        metadata.labels.retain(|label, _| !label.starts_with("encamp.dev/"));
        metadata.creation_timestamp = Some(old.metadata.creation_timestamp.unwrap_or(now));
        let is_kept = spec.eligible == old.spec.eligible;
        let eligible_since = if is_kept { old.eligible_since } else { Some(now) };
        let node = Node { metadata, spec, eligible_since };
        let is_same = stored.is_some_and(|stored| stored.value == node);
        let writes = if is_same { Vec::new() } else { vec![Write::put(key.clone(), &node)] };
        // Taking a node out must be possible at any time; only words about it may be many.
        let is_small =
            writes.iter().all(|write| matches!(write, Write::Put { value, .. } if value.len() < 4096));
        let weight = if is_small { Weight::Relief } else { Weight::Growth };
        Ok(Change { document: node, writes, seen, warnings, weight })
    })
    .await?;
    let Done { document: node, is_new: _, warnings } = done;
    let mut document = shown(server, Kind::Node, name);
    if manner.is_dry {
        document["spec"] = part(&node.spec);
        document["metadata"]["labels"] = part(&node.metadata.labels);
        document["metadata"]["annotations"] = part(&node.metadata.annotations);
    }
    Ok(Done { document, is_new: false, warnings })
}
