//! What is written for people is true.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{expect_none, readme, root};

/// The paths of the code map: first words of the lines between "```text" after "## Code map" and "```".
fn code_map() -> Vec<String> {
    let readme = readme();
    let map = readme.split("## Code map").nth(1).expect("README.md has a section `## Code map`");
    let block = map.split("```").nth(1).expect("the code map is a fenced block");
    block.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_code_map_matches_the_tree() {
    let map = code_map();
    let mut complaints: Vec<String> = map
        .iter()
        .filter(|path| !root().join(path.trim_end_matches('/')).exists())
        .map(|path| format!("README.md names `{path}`, which does not exist"))
        .collect();
    for room in ["src", "controllers", "tests"] {
        for entry in fs::read_dir(root().join(room)).unwrap() {
            let entry = entry.unwrap().path();
            let path = format!("{}/", entry.strip_prefix(root()).unwrap().display());
            if entry.is_dir() && !map.contains(&path) {
                complaints.push(format!("README.md does not name `{path}`"));
            }
        }
    }
    expect_none(&complaints, "The code map in README.md lists every room, one line each.");
}

/// The campaigns that `.ci/campaign` knows: the labels of its choice.
fn campaigns() -> Vec<String> {
    let script = fs::read_to_string(root().join(".ci/campaign")).unwrap();
    let labels = script.lines().filter_map(|line| line.split_once(") # ").map(|(label, _)| label.to_owned()));
    labels.filter(|label| label.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')).collect()
}

#[test]
fn every_campaign_was_run() {
    let record = fs::read_to_string(root().join("tests/track-record.md")).unwrap();
    let rows: BTreeSet<&str> =
        record.lines().filter_map(|line| line.split('|').nth(2)).map(str::trim).collect();
    let campaigns = campaigns();
    assert!(!campaigns.is_empty(), ".ci/campaign names its campaigns as `NAME) # what it does`");
    let missing = campaigns.iter().filter(|campaign| !rows.contains(campaign.as_str()));
    let complaints: Vec<String> =
        missing.map(|campaign| format!("tests/track-record.md has no row of `{campaign}`")).collect();
    expect_none(&complaints, "Run it, `make campaign NAME`, and add the row that it prints.");
}

#[test]
fn what_the_readme_names_exists() {
    let readme = readme();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let words = readme.split(|letter: char| letter.is_whitespace() || "`()[],;:\"".contains(letter));
    let mut complaints = Vec::new();
    for word in words.filter(|word| word.starts_with("schemas/examples/")) {
        if !root().join(word.trim_end_matches('.')).exists() {
            complaints.push(format!("README.md names `{word}`, which does not exist"));
        }
    }
    for (_, target) in readme.match_indices("`make ").map(|(at, found)| readme.split_at(at + found.len())) {
        let target = target.split(['`', ' ']).next().unwrap();
        if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
            complaints.push(format!("README.md names `make {target}`, which the Makefile does not know"));
        }
    }
    expect_none(&complaints, "README.md makes true statements only.");
}
