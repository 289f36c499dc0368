//! What the API offers, in the words that `kubectl` asks for, and its metrics.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::kind::{GROUP, GROUP_VERSION, Kind, Subresource};
use super::server::Server;

/// The Kubernetes version whose words the API speaks: what clients compare themselves with.
const SPEAKS: (&str, &str) = ("1", "32");

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/api", get(core_versions))
        .route("/apis", get(groups))
        .route("/apis/encamp.dev", get(|| async { Json(group(GROUP, "v1")) }))
        .route("/apis/encamp.dev/v1", get(|| async { Json(resources()) }))
}

async fn version() -> Json<Value> {
    let (major, minor) = SPEAKS;
    Json(json!({
        "major": major, "minor": minor, "platform": format!("{}/{}", std::env::consts::OS, arch()),
        "gitVersion": format!("v{major}.{minor}.0+encamp.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "rustc",
    }))
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry::render()).into_response()
}

async fn core_versions(headers: HeaderMap) -> Json<Value> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Json(json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}],
    }))
}

async fn groups() -> Json<Value> {
    let names = [GROUP, "authorization.k8s.io", "authentication.k8s.io"];
    let groups = names.map(|name| group(name, "v1"));
    Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [version], "preferredVersion": version})
}

/// The resources of our group.
fn resources() -> Value {
    let resources: Vec<Value> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": resources})
}

fn of_kind(kind: Kind) -> Vec<Value> {
    let words = kind.words();
    let mut own = json!({
        "name": words.plural, "singularName": words.singular, "namespaced": words.is_namespaced,
        "kind": words.kind, "verbs": words.verbs,
    });
    if !words.short.is_empty() {
        own["shortNames"] = json!(words.short);
    }
    let categories: &[&str] = if words.is_in_all { &["all", "encamp"] } else { &["encamp"] };
    own["categories"] = json!(categories);
    let mut all = vec![own];
    for Subresource { name, group_version, kind, verbs } in words.subresources {
        let mut sub = json!({
            "name": format!("{}/{name}", words.plural), "singularName": "", "namespaced": words.is_namespaced,
            "kind": kind, "verbs": verbs,
        });
        if let Some((group, version)) = group_version {
            sub["group"] = json!(group);
            sub["version"] = json!(version);
        }
        all.push(sub);
    }
    all
}
