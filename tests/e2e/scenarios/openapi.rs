//! What the OpenAPI document promises, asked of the API by schemathesis: some examples of every operation.

use std::process::{Command, Stdio};

use crate::{cluster::Cluster, jobs};

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

/// Watches and logs that go on end with the request's time only; kubectl tests those. Where one document is meant it is
/// one that is there, unless it would be deleted.
const SETTINGS: &str = r#"
[parameters]
"query.watch" = false
"query.follow" = false

[[operations]]
include-path-regex = "/jobs/.name."
exclude-method = "DELETE"
parameters = { "path.namespace" = "default", "path.name" = "pairs" }

[[operations]]
include-path-regex = "/(jobversions|deployments)/.name."
parameters = { "path.namespace" = "default", "path.name" = "pairs-v1" }

[[operations]]
include-path-regex = "/allocations/.name."
parameters = { "path.namespace" = "default", "path.name" = "pairs.main.0-v1.0" }

[[operations]]
include-path-regex = "/nodes/.name."
exclude-method = "DELETE"
parameters = { "path.name" = "n0" }
"#;

/// Every answer has a status, a body and headers that the document names.
pub async fn every_answer_is_one_that_was_promised(cluster: Cluster) {
    if !is_installed() {
        return;
    }
    cluster.apply("pairs", &jobs::pairs("pairs", 1, &cluster.witness()));
    cluster.until_healthy("pairs", 1).await;
    let settings = cluster.path("schemathesis.toml");
    std::fs::write(&settings, SETTINGS).expect("the directory can be written");
    let address = cluster.api.address();
    let ran = Command::new("schemathesis")
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("{address}/openapi/v3/apis/encamp.dev/v1"), "--url", address])
        .args(["--checks", CHECKS, "--phases", "fuzzing", "--max-examples", "20", "--seed", "1"])
        .args(["--generation-deterministic", "--no-shrink", "--workers", "2"])
        .args(["--suppress-health-check", "all", "--request-timeout", "20", "--no-color"])
        .current_dir(cluster.path(""))
        .output()
        .expect("it was asked for its version");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{told}\n{}\n{}",
        String::from_utf8_lossy(&ran.stderr),
        cluster.last_words()
    );
}

/// Whether schemathesis is there; says so in the output of the test where it is not.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn is_installed() -> bool {
    let version = Command::new("schemathesis").arg("--version").stdout(Stdio::null()).status();
    let is_there = version.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: the OpenAPI document, for schemathesis is not installed (`.ci/setup tests`)");
    }
    is_there
}
