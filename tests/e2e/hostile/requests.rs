//! Requests: a server with its own store, an agent, a running job.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use super::attack::Act::{self, Answered, Crowd, Other, Refused, Say, Trickle};
use super::bodies;
use super::floods;
use super::judge::{Judge, host};
use super::states;
use crate::{cluster::Cluster, jobs, scenarios::pairs};

const JSON: &str = "application/json";
const JOBS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs";
const PAIRS: &str = "/apis/encamp.dev/v1/namespaces/default/jobs/pairs?dryRun=All";
const DRY: &str = "/apis/encamp.dev/v1/namespaces/default/jobs?dryRun=All";

/// How long one row may take at most.
const ROW: Duration = Duration::from_secs(15);

/// One row of the table.
type Row = (&'static str, Act);

fn commit(body: Vec<u8>) -> Act {
    Refused(Method::POST, "/store/v1/commit".to_owned(), JSON, body)
}

fn list(prefix: &str) -> Act {
    let body = json!({"prefix": {"text": prefix, "exact": false}}).to_string().into_bytes();
    Refused(Method::POST, "/store/v1/list".to_owned(), JSON, body)
}

fn get(path: &str) -> Act {
    Answered(Method::GET, path.to_owned(), JSON, Vec::new())
}

fn post(path: &str, media: &'static str, body: Vec<u8>) -> Act {
    Answered(Method::POST, path.to_owned(), media, body)
}

fn patch(media: &'static str, body: Vec<u8>) -> Act {
    Answered(Method::PATCH, PAIRS.to_owned(), media, body)
}

/// What agents speak with.
fn store_face() -> Vec<Row> {
    let two = [json!({"delete": {"key": "/reports/n0/9"}}), json!({"delete": {"key": "/reports/n1/9"}})];
    let many: Vec<_> = (0..200).map(|one| json!({"delete": {"key": format!("/reports/n0/{one}")}})).collect();
    let watch = "/store/v1/watch?after=0&prefix=";
    vec![
        ("a fingerprint is deleted", commit(bodies::delete("/fingerprints/n0"))),
        ("a fingerprint is garbage", commit(bodies::put("/fingerprints/n0", b"\x00garbage"))),
        ("a fingerprint is empty", commit(bodies::put("/fingerprints/n0", b""))),
        ("a fingerprint says nothing", commit(bodies::put("/fingerprints/n0", b"{}"))),
        ("a fingerprint is huge", commit(bodies::put("/fingerprints/n0", &b" ".repeat(900_000)))),
        ("a fingerprint of a path", commit(bodies::put("/fingerprints/..", &bodies::fingerprint("")))),
        ("an agent at the metadata of a cloud", {
            commit(bodies::put("/fingerprints/n0", &bodies::fingerprint("169.254.169.254:80")))
        }),
        ("an agent at a path", commit(bodies::put("/fingerprints/n0", &bodies::fingerprint("a:1/x?y")))),
        ("a report is garbage", commit(bodies::put("/reports/n0/0", b"garbage"))),
        ("a report is of too many", commit(bodies::put("/reports/n0/1", &bodies::report(10_000)))),
        ("a report of nobody", commit(bodies::put("/reports/nobody/0", &bodies::report(1)))),
        ("a report far away", commit(bodies::put("/reports/n0/4000000000", &bodies::report(1)))),
        ("the reports are deleted", commit(bodies::delete("/reports/n0/0"))),
        ("details are huge", {
            commit(bodies::put("/details/n0/default/a.b.0-v0.0", &b" ".repeat(900_000)))
        }),
        ("details of no allocation", commit(bodies::put("/details/n0/default/x", b"{}"))),
        ("a placement is written", commit(bodies::put("/placements/n0/default/a.b.0-v0.0", b"{}"))),
        ("a placement is deleted", commit(bodies::delete("/placements/n0/default/pairs.main.0-v0.0"))),
        ("a job is written past the API", commit(bodies::put("/jobs/default/pairs", b"{}"))),
        ("a link is written", commit(bodies::put("/links/n0", b"{}"))),
        ("the epoch is deleted", commit(bodies::delete("/epoch"))),
        ("two nodes in one transaction", commit(bodies::transaction(&two))),
        ("too many writes", commit(bodies::transaction(&many))),
        ("too many guards", commit(bodies::many_guards())),
        ("a body over the limit", commit(b" ".repeat(7 * 1024 * 1024))),
        ("a body of brackets", commit(bodies::deep_json(100_000))),
        ("a body that is no text", commit(vec![0xff; 1_000])),
        ("everything is listed", list("/")),
        ("all placements are listed", list("/placements/")),
        ("a listing of no path", list("")),
        ("everything is watched", Refused(Method::GET, format!("{watch}%2F"), JSON, Vec::new())),
        ("all reports are watched", Refused(Method::GET, format!("{watch}%2Freports%2F"), JSON, Vec::new())),
        ("invented beats", Other(floods::invented_beats)),
        ("a beat of a path", {
            Refused(Method::POST, "/apis/encamp.dev/v1/nodes/..%2F..%2Fjobs/beat".to_owned(), JSON, vec![])
        }),
    ]
}

/// What users speak with. Most of it is legal and must only be cheap.
fn api() -> Vec<Row> {
    let long = "x%3Dy,".repeat(5_000);
    vec![
        ("a merge of brackets", patch("application/merge-patch+json", bodies::deep_json(50_000))),
        ("costly words", post(DRY, JSON, bodies::costly_words())),
        ("many stars", post(DRY, JSON, bodies::stars())),
        ("aliases of aliases", post(DRY, "application/yaml", bodies::aliases())),
        ("brackets in YAML", post(DRY, "application/yaml", bodies::deep_json(50_000))),
        ("blocks in blocks", post(DRY, "application/hcl", bodies::deep_hcl(20_000))),
        ("brackets in an expression", post(DRY, "application/hcl", bodies::deep_expression(50_000))),
        ("a job over the limit", Refused(Method::POST, JOBS.to_owned(), JSON, b" ".repeat(2 * 1024 * 1024))),
        ("a job of a name like a path", post(JOBS, JSON, bodies::job("../../x", |_| ()))),
        (
            "a count beyond all",
            post(
                DRY,
                JSON,
                bodies::job("many", |spec| {
                    spec["groups"][0]["count"] = json!(4_000_000_000_u64);
                }),
            ),
        ),
        ("a long selector", get(&format!("{JOBS}?labelSelector={long}"))),
        ("a page that never was", get(&format!("{JOBS}?limit=1&continue=eHh4"))),
        ("a watch from the future", {
            Say(
                format!("GET {JOBS}?watch=1&resourceVersion=99999999999 HTTP/1.1\r\nhost: x\r\n\r\n").into(),
                5,
            )
        }),
        ("the log of nobody", {
            get("/apis/encamp.dev/v1/namespaces/default/allocations/a.b.0-v0.0/log?follow=1")
        }),
        ("an unknown method", Refused(Method::TRACE, JOBS.to_owned(), JSON, Vec::new())),
        ("a patch that copies 16 times", patch("application/json-patch+json", bodies::copies(16))),
        ("a patch that copies 40 times", patch("application/json-patch+json", bodies::copies(40))),
    ]
}

/// What is below requests.
fn wire() -> Vec<Row> {
    let head = |path: &str, more: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n").into_bytes();
    let long = "content-type: application/json\r\ncontent-length: 1000000\r\n";
    let chunked = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let endless = format!("GET /livez HTTP/1.1\r\nx: {}", "x".repeat(200_000)).into_bytes();
    vec![
        ("a connection that says nothing", Say(Vec::new(), 8)),
        ("half a preface of HTTP/2", Say(floods::PREFACE[..10].to_vec(), 8)),
        ("a preface byte by byte", Trickle(b"P".to_vec(), 18)),
        ("half a head", Say(b"GET /livez HTTP/1.1\r\nhost:".to_vec(), 14)),
        ("a head byte by byte", Trickle(b"GET /livez HTTP/1.1\r\nhost: ".to_vec(), 14)),
        ("a head without end", Say(endless, 14)),
        ("a transaction byte by byte", Trickle(head("/store/v1/commit", long), 14)),
        ("a list byte by byte", Trickle(head("/store/v1/list", long), 14)),
        ("a job byte by byte", Trickle(head(JOBS, long), 14)),
        ("a transaction that stops", Say(head("/store/v1/commit", long), 14)),
        ("a piece that stops", Say([head(JOBS, chunked), b"100\r\n{".to_vec()].concat(), 14)),
        ("two lengths", Say(head(JOBS, "content-length: 1\r\ncontent-length: 9\r\n"), 14)),
        (
            "a length and pieces",
            Say([head(JOBS, &format!("content-length: 4\r\n{chunked}")), b"0\r\n\r\n".to_vec()].concat(), 14),
        ),
        ("a length that is none", Say(head(JOBS, "content-length: -1\r\n"), 14)),
        ("TLS where there is none", Say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 14)),
        ("more connections than are allowed", Crowd(850, Vec::new())),
        (
            "more bodies than are read",
            Crowd(300, [head("/store/v1/commit", long), b" ".repeat(900_000)].concat()),
        ),
        ("requests taken back", Other(floods::rapid_resets)),
        ("settings without end", Other(floods::settings)),
        ("headers without end", Other(floods::continuations)),
        ("readers who do not read", Other(floods::readers_who_do_not_read)),
        ("streams that do not read", Other(floods::streams_that_do_not_read)),
    ]
}

/// What the agent's own port is asked.
fn agent() -> Vec<Row> {
    let path = "/v1/logs/default/..%2F..%2F..%2Fetc/passwd";
    vec![
        ("the agent's files", Refused(Method::GET, path.to_owned(), JSON, Vec::new())),
        ("half a head to the agent", Say(b"GET /v1/logs/a/b/c HTTP/1.1\r\nhost:".to_vec(), 14)),
        ("half a preface to the agent", Say(floods::PREFACE[..10].to_vec(), 8)),
        ("many connections to the agent", Crowd(600, Vec::new())),
    ]
}

/// Does all of it to one cluster.
pub async fn run(cluster: Cluster) {
    let tasks = pairs::start(&cluster, 2).await;
    // Seven megabytes in all.
    for number in 0..11 {
        let name = format!("large-{number}");
        cluster.apply(&name, &jobs::large(&name, number, 600_000));
    }
    let nodes = cluster.api.list("/apis/encamp.dev/v1/nodes").await.expect("the API answers");
    let node =
        nodes["items"][0]["status"]["address"].as_str().expect("the agent says where it answers").to_owned();
    let mut judge = Judge::new(cluster, tasks);
    let server = host(judge.cluster());

    let of_server = [store_face(), wire(), api()].concat_rows(&server);
    let all = [agent()].concat_rows(&node).into_iter().chain(of_server);
    let (slow, quick): (Vec<_>, Vec<_>) = all.partition(|(_, act, _)| act.is_slow());
    let slow = slow
        .into_iter()
        .map(|(name, act, address)| tokio::spawn(async move { (name, act.perform(&address).await) }));
    let slow: Vec<_> = slow.collect();
    for (name, act, address) in quick {
        let before = judge.before();
        let outcome =
            timeout(ROW, act.perform(&address)).await.unwrap_or_else(|_| Err("it did not end".to_owned()));
        judge.after(name, &before, outcome).await;
    }
    for row in slow {
        let (name, outcome) = row.await.expect("an attack does not panic");
        // What it took is counted with the quick rows that went on meanwhile.
        let before = judge.before();
        judge.after(name, &before, outcome).await;
    }
    // A server that died late is started again here, so that every complaint is told.
    let before = judge.before();
    judge.after("the last of all", &before, Ok(())).await;
    let outcome = states::settled(judge.cluster()).await;
    judge.after("all of it", &before, outcome).await;
    judge.verdict();
}

/// Rows with the address they are meant for.
trait Addressed {
    fn concat_rows(self, address: &str) -> Vec<(&'static str, Act, String)>;
}

impl<const N: usize> Addressed for [Vec<Row>; N] {
    fn concat_rows(self, address: &str) -> Vec<(&'static str, Act, String)> {
        self.into_iter().flatten().map(|(name, act)| (name, act, address.to_owned())).collect()
    }
}
