//! Bodies that nobody means well with.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

/// A transaction of one put.
pub fn put(key: &str, value: &[u8]) -> Vec<u8> {
    transaction(&[json!({"put": {"key": key, "value": BASE64.encode(value)}})])
}

/// A transaction of one delete.
pub fn delete(key: &str) -> Vec<u8> {
    transaction(&[json!({"delete": {"key": key}})])
}

/// A transaction.
pub fn transaction(writes: &[Value]) -> Vec<u8> {
    json!({"guards": [], "writes": writes}).to_string().into_bytes()
}

/// More guards than any transaction has.
pub fn many_guards() -> Vec<u8> {
    let guards: Vec<Value> = (0..100_000).map(|_| json!({"absent": {"key": "/epoch"}})).collect();
    json!({"guards": guards, "writes": []}).to_string().into_bytes()
}

/// A fingerprint that says where its agent answers.
pub fn fingerprint(address: &str) -> Vec<u8> {
    let found = json!({"datacenter": "dc1", "region": "global", "pool": "default", "address": address});
    found.to_string().into_bytes()
}

/// A report of this many allocations.
pub fn report(allocations: usize) -> Vec<u8> {
    let one = |number| (format!("default/web.api.{number}-v0.0"), json!({"s": "running", "v": 0}));
    let all: serde_json::Map<String, Value> = (0..allocations).map(one).collect();
    json!({"a": all}).to_string().into_bytes()
}

/// A job as JSON, changed by hand.
pub fn job(name: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let task = json!({"name": "t", "driver": "raw_exec", "config": {"command": "/bin/true"}});
    let group = json!({"name": "g", "count": 0, "tasks": [task]});
    let mut job = json!({
        "apiVersion": "encamp.dev/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"},
        "spec": {"groups": [group]},
    });
    change(&mut job["spec"]);
    job.to_string().into_bytes()
}

/// Lists in lists.
pub fn deep_json(depth: usize) -> Vec<u8> {
    [b"[".repeat(depth), b"]".repeat(depth)].concat()
}

/// Blocks in blocks.
pub fn deep_hcl(depth: usize) -> Vec<u8> {
    let open = "x {\n".repeat(depth);
    format!("job \"deep\" {{\n{open}{}}}\n", "}\n".repeat(depth)).into_bytes()
}

/// An expression of brackets in brackets.
pub fn deep_expression(depth: usize) -> Vec<u8> {
    let (open, close) = ("(".repeat(depth), ")".repeat(depth));
    format!("job \"deep\" {{\n priority = {open}1{close}\n}}\n").into_bytes()
}

/// A billion laughs.
pub fn aliases() -> Vec<u8> {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "));
    }
    text.into_bytes()
}

/// Patches that copy a document into itself again and again.
pub fn copies(times: usize) -> Vec<u8> {
    let copy = |number| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/annotations/c{number}")});
    let mut patch =
        vec![json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "x".repeat(500)}})];
    patch.extend((0..times).map(copy));
    Value::Array(patch).to_string().into_bytes()
}

/// A job that asks for many costly words.
pub fn costly_words() -> Vec<u8> {
    job("costly", |spec| {
        let one = |number: usize| {
            let value = format!("\\w{{{}}}", 100 + number);
            json!({"attribute": "${attr.kernel.name}", "operator": "regexp", "value": value})
        };
        spec["constraints"] = (0..300).map(one).collect();
        spec["groups"][0]["count"] = json!(1);
    })
}

/// A job in datacenters of many stars.
pub fn stars() -> Vec<u8> {
    job("stars", |spec| {
        spec["datacenters"] = json!([format!("{}b", "*a".repeat(60))]);
        spec["groups"][0]["count"] = json!(1);
    })
}
