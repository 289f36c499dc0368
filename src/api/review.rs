//! May I? Until there are tokens everybody who reaches the API may do everything, and is told so.

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::body::Sent;
use super::kind::GROUP;
use super::refusal::Refusal;
use super::server::Server;

const WHY: &str = "authentication is off: everybody who reaches this server may do everything";
const AUTHORIZATION: &str = "authorization.k8s.io/v1";
const AUTHENTICATION: &str = "authentication.k8s.io/v1";

/// The routes.
pub(super) fn router() -> Router<Server> {
    Router::new()
        .route(
            "/apis/authorization.k8s.io/v1",
            get(|| async {
                let kinds = ["SelfSubjectAccessReview", "SelfSubjectRulesReview"];
                Json(offered(AUTHORIZATION, &kinds))
            }),
        )
        .route("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", post(access))
        .route("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", post(rules))
        .route(
            "/apis/authentication.k8s.io/v1",
            get(|| async { Json(offered(AUTHENTICATION, &["SelfSubjectReview"])) }),
        )
        .route("/apis/authentication.k8s.io/v1/selfsubjectreviews", post(who))
}

fn offered(group_version: &str, kinds: &[&str]) -> Value {
    let resources: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            json!({"name": format!("{}s", kind.to_lowercase()), "singularName": kind.to_lowercase(),
                   "namespaced": false, "kind": kind, "verbs": ["create"]})
        })
        .collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}

/// What was asked; the answer is the same for all, so a body in Kubernetes' binary form need not be read.
fn asked(sent: &Sent) -> Result<Value, Refusal> {
    if sent.media == "application/vnd.kubernetes.protobuf" {
        Ok(json!({"spec": {}}))
    } else {
        sent.document()
    }
}

async fn access(sent: Sent) -> Result<(StatusCode, Json<Value>), Refusal> {
    let asked = asked(&sent)?;
    let review = json!({
        "apiVersion": AUTHORIZATION, "kind": "SelfSubjectAccessReview", "metadata": {},
        "spec": asked["spec"], "status": {"allowed": true, "reason": WHY},
    });
    Ok((StatusCode::CREATED, Json(review)))
}

async fn rules(sent: Sent) -> Result<(StatusCode, Json<Value>), Refusal> {
    let asked = asked(&sent)?;
    let review = json!({
        "apiVersion": AUTHORIZATION, "kind": "SelfSubjectRulesReview", "metadata": {}, "spec": asked["spec"],
        "status": {
            "resourceRules": [{"verbs": ["*"], "apiGroups": [GROUP], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false,
        },
    });
    Ok((StatusCode::CREATED, Json(review)))
}

async fn who() -> (StatusCode, Json<Value>) {
    let review = json!({
        "apiVersion": AUTHENTICATION, "kind": "SelfSubjectReview", "metadata": {},
        "status": {"userInfo": {"username": "anonymous", "groups": ["unauthenticated"]}},
    });
    (StatusCode::CREATED, Json(review))
}
