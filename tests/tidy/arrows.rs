//! Which room may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::source::{expect_none, has_word, paths, root, sources, tokens, without_tests};

/// Everything that waits, blocks, fails by itself or differs from run to run.
const WORLDLY: &str = "async_stream axum bollard clap encamp etcd_client futures hyper nix prometheus rand redb \
    reqwest rustix tokio tokio_stream tokio_util tower tower_http tracing std::env std::thread std::process";
const KINDS: &str = "schemas::job schemas::group schemas::task schemas::network schemas::service schemas::node \
    schemas::roster schemas::placement schemas::report schemas::deployment schemas::text";
/// (who, what it must not name, why). Between crates the manifests are the walls: see `ARROWS`.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("schemas/src", WORLDLY, "words do no I/O"),
    ("controllers/", WORLDLY, "decisions do no I/O"),
    ("controllers/", "std::fs", "decisions do no I/O"),
    ("src/forecast", WORLDLY, "a forecast is pure"),
    ("src/store", KINDS, "the store knows no document kind"),
    ("src/control", KINDS, "control knows no document kind"),
];
/// Each room of the world, and which rooms it may know: those above it.
const ARROWS: &[(&str, &str)] = &[
    ("clock", ""),
    ("telemetry", ""),
    ("http_client", ""),
    ("http_server", "http_client"),
    ("store", "plan schemas http_client telemetry"),
    ("cache", "plan schemas clock store telemetry"),
    ("control", "plan schemas cache clock store telemetry"),
    ("forecast", "plan schemas deployment scheduler"),
    ("api", "plan schemas deployment scheduler cache clock forecast http_client http_server store telemetry"),
    ("drivers", "schemas"),
    ("node", "plan schemas agent clock drivers http_client http_server store"),
    (
        "process",
        "plan schemas agent deployment heartbeat scheduler api cache clock control drivers \
         http_client http_server node store telemetry",
    ),
    ("cli", "plan schemas http_client process store"),
];

#[test]
fn rooms_import_only_upwards() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !source.path.contains("/tests/")) {
        let named = paths(&without_tests(tokens(source)));
        for (room, forbidden, why) in FORBIDDEN.iter().filter(|(room, ..)| source.path.starts_with(room)) {
            let hits = named.iter().filter(|(path, _)| has_word(forbidden, path));
            complaints.extend(
                hits.map(|(path, line)| {
                    format!("{}:{line}: {room} must not name `{path}`: {why}", source.path)
                }),
            );
        }
    }
    expect_none(
        &complaints,
        "The import table stands in tests/tidy/arrows.rs: move the code to the room that may know both.",
    );
}

#[test]
fn pure_rooms_are_not_async() {
    let pure = |path: &str| path.starts_with("schemas/src") || path.starts_with("controllers/");
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| pure(&source.path)) {
        let hits =
            tokens(source).into_iter().filter(|token| matches!(token.text.as_str(), "async" | "await"));
        complaints.extend(hits.map(|token| format!("{}:{}: `{}`", source.path, token.line, token.text)));
    }
    expect_none(
        &complaints,
        "Words and decisions wait for nothing: do this in src/ and hand over the value.",
    );
}

/// The crates of a folder.
fn rooms(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
    let crates = entries.filter(|entry| entry.path().join("Cargo.toml").exists());
    crates.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Those of our own crates that a room depends on, its tests aside.
fn dependencies(folder: &str, room: &str) -> BTreeSet<String> {
    let mut ours = rooms("src");
    ours.extend(rooms("controllers"));
    ours.insert("schemas".to_owned());
    let manifest = fs::read_to_string(root().join(folder).join(room).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let named = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    named.filter(|name| ours.contains(*name)).map(str::to_owned).collect()
}

#[test]
fn controllers_know_only_plan_and_schemas() {
    let complaints: Vec<String> = rooms("controllers")
        .iter()
        .flat_map(|room| {
            dependencies("controllers", room).into_iter().map(move |other| (room.clone(), other))
        })
        .filter(|(_, other)| !["plan", "fit", "schemas"].contains(&other.as_str()))
        .map(|(room, other)| format!("controllers/{room}/Cargo.toml depends on `{other}`"))
        .collect();
    expect_none(&complaints, "Controllers meet in documents, never in code but that of `plan` and `fit`.");
}

#[test]
fn rooms_know_only_rooms_above_them() {
    let arrows: BTreeMap<&str, &str> = ARROWS.iter().copied().collect();
    let mut complaints = Vec::new();
    for room in rooms("src") {
        let Some(allowed) = arrows.get(room.as_str()) else {
            complaints.push(format!("src/{room} has no arrows in tests/tidy/arrows.rs"));
            continue;
        };
        let known = dependencies("src", &room);
        let others = known.iter().filter(|other| !has_word(allowed, other));
        complaints.extend(others.map(|other| format!("src/{room}/Cargo.toml depends on `{other}`")));
        let idle = allowed.split_whitespace().filter(|name| !known.contains(*name));
        complaints.extend(
            idle.map(|name| format!("src/{room} does not know `{name}` any more: take the arrow out")),
        );
    }
    expect_none(&complaints, "An arrow is a decision: move the code to the room that may know both.");
}
