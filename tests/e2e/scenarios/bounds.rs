//! Requests made to cost much: each is answered, the server goes on being alive meanwhile, and does not grow.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// How long `/livez` may take at worst, on a machine that does other things too.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);
/// How much the server may grow.
const GROWTH_KB: u64 = 200 * 1024;

const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";

fn job(spec: Value) -> String {
    let mut spec = spec;
    spec["groups"] = json!([{"name": "g", "count": 0, "tasks": [
        {"name": "t", "driver": "raw_exec", "config": {"command": "/bin/true"}},
    ]}]);
    json!({"apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": "bomb"}, "spec": spec})
        .to_string()
}

fn patterns(count: usize) -> Value {
    let rule =
        |n| json!({"attribute": "${attr.os}", "operator": "regexp", "value": format!("\\w{{{}}}", 100 + n)});
    (0..count).map(rule).collect()
}

/// Method, path, media type, body.
type Hostile = (&'static str, String, &'static str, String);

fn hostile() -> Vec<Hostile> {
    let dry = |path: &str| format!("{JOBS}{path}?dryRun=All");
    let copies = |count: usize| -> Value {
        (0..count).map(|n| json!({"op": "copy", "from": "/spec", "path": format!("/spec/{n}")})).collect()
    };
    let wide = "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]";
    let mut all: Vec<Hostile> = vec![
        ("POST", dry(""), "application/json", job(json!({"constraints": patterns(32)}))),
        (
            "POST",
            dry(""),
            "application/json",
            job(json!({"datacenters": [format!("{}b", "*a".repeat(500))]})),
        ),
        ("PATCH", dry("/web"), "application/json-patch+json", copies(16).to_string()),
        ("PATCH", dry("/web"), "application/json-patch+json", copies(40).to_string()),
        ("POST", dry(""), "application/json", job(json!({"meta": {"a": "x".repeat(1_040_000)}}))),
        (
            "POST",
            dry(""),
            "application/json",
            format!("{{\"spec\":{{\"groups\":[{}{{}}]}}}}", "{},".repeat(340_000)),
        ),
        (
            "POST",
            dry(""),
            "application/hcl",
            format!("job \"a\" {{\n meta {{\n a = jsonencode({wide})\n }}\n}}"),
        ),
        (
            "POST",
            dry(""),
            "application/yaml",
            format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), "*a,".repeat(9_000)),
        ),
        ("GET", format!("{JOBS}?labelSelector=a%20in%20({})", "b,".repeat(4_000)), "", String::new()),
    ];
    // Four at once are what took 40 s.
    all.extend(
        (0..4).map(|_| ("POST", dry(""), "application/json", job(json!({"constraints": patterns(300)})))),
    );
    all
}

/// The most memory that a process ever had.
fn peak_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// What is made to cost much costs little.
pub async fn what_costs_much_is_refused_at_little_cost(cluster: Cluster) {
    cluster.apply("web", "job \"web\" {\n group \"g\" {\n count = 0\n task \"t\" {\n driver = \"raw_exec\"\n config { command = \"/bin/true\" }\n }\n }\n}\n");
    let pid = cluster.server.as_ref().expect("the server runs").id();
    let (before_kb, address) = (peak_kb(pid), cluster.api.address().to_owned());
    let http = reqwest::Client::new();
    let alive = tokio::spawn(worst_of(http.clone(), format!("{address}/livez")));
    let mut answers = tokio::task::JoinSet::new();
    for (method, path, media, body) in hostile() {
        let method = method.parse::<reqwest::Method>().expect("a method");
        let request =
            http.request(method, format!("{address}{path}")).header("content-type", media).body(body);
        answers.spawn(async move {
            let answer = request.send().await.expect("an answer");
            (path, answer.status(), answer.text().await.unwrap_or_default())
        });
    }
    while let Some(answer) = answers.join_next().await {
        let (path, status, said) = answer.expect("no panic");
        assert!(!status.is_server_error(), "{path}: {status} {said:.300}");
    }
    alive.abort();
    let worst = WORST.load(std::sync::atomic::Ordering::Relaxed);
    assert!(worst > 0, "health was asked for");
    assert!(u128::from(worst) < ALIVE_WITHIN.as_millis(), "/livez took {worst} ms");
    let grown_kb = peak_kb(pid) - before_kb;
    assert!(grown_kb < GROWTH_KB, "the server grew by {grown_kb} kB");
}

/// The longest time that an answer took, in milliseconds.
static WORST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

async fn worst_of(http: reqwest::Client, url: String) {
    loop {
        let began = Instant::now();
        let answer = http.get(&url).timeout(Duration::from_secs(30)).send().await;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let took_ms =
            if answer.is_ok_and(|answer| answer.status().is_success()) { took_ms } else { u64::MAX };
        WORST.fetch_max(took_ms, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
