//! Whether the list of mutants still speaks of the code that there is: each text once in its file, each test there.
//!
//! Whether the tests turn red is for `make campaign rule-mutants` to say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a block of the list says.
#[derive(Debug, Default)]
struct Mutant {
    name: String,
    rule: String,
    file: String,
    before: Vec<String>,
    after: Vec<String>,
    /// Package, test binary, tests.
    red: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All of the list, read as `.ci/mutants` reads it.
fn mutants() -> Vec<Mutant> {
    let mut mutants = Vec::<Mutant>::new();
    for line in include_str!("list").lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.to_owned();
        if key == "mutant" {
            mutants.push(Mutant { name: value, ..Mutant::default() });
            continue;
        }
        if key.is_empty() || key == "#" {
            continue;
        }
        let mutant = mutants.last_mut().unwrap_or_else(|| panic!("{line}: of which mutant?"));
        match key {
            "rule" => mutant.rule = value,
            "file" => mutant.file = value,
            "-" => mutant.before.push(value),
            "+" => mutant.after.push(value),
            "red" => mutant.red.push(value),
            _ => panic!("{line}: a line begins with mutant, rule, file, -, + or red"),
        }
    }
    mutants
}

/// Where the code of a test binary lies.
fn home(package: &str, binary: &str) -> PathBuf {
    let package = match package {
        "encamp" => root(),
        "schemas" => root().join(package),
        room if root().join("src").join(room).exists() => root().join("src").join(room),
        _ => root().join("controllers").join(package),
    };
    match binary {
        "lib" if package.join("src").exists() && !package.ends_with("encamp") => package.join("src"),
        "lib" => package,
        _ => package.join("tests").join(binary),
    }
}

/// Whether some file on the way to a test holds a function of its name: a module may lie in a file of its own, or not.
fn is_there(home: &Path, test: &str) -> bool {
    let (modules, function) = test.rsplit_once("::").unwrap_or(("", test));
    let head = format!("fn {function}(");
    let holds = |file: PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(&head));
    let mut folder = home.to_owned();
    let mut found = modules.is_empty() && holds(home.join("main.rs"));
    for module in modules.split("::") {
        found |= holds(folder.join(format!("{module}.rs")));
        folder.push(module);
    }
    found
}

fn complaints(mutant: &Mutant) -> Vec<String> {
    let Mutant { name, rule, file, before, after, red } = mutant;
    let (before, after) = (before.join("\n"), after.join("\n"));
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    let mut found = Vec::new();
    if rule.is_empty() || before.is_empty() || before == after || red.is_empty() {
        found.push(format!("{name}: a mutant has a rule, a text, another text and tests that see it"));
    }
    let times = text.matches(&before).count();
    if times != 1 {
        found.push(format!("{name}: {file} holds its text {times} times: {before}"));
    }
    for line in red {
        let words: Vec<&str> = line.split(' ').collect();
        let [package, binary, tests @ ..] = &words[..] else {
            found.push(format!("{name}: `red {line}` names no package and test binary"));
            continue;
        };
        let home = home(package, binary);
        let missing = tests.iter().filter(|test| !is_there(&home, test));
        found.extend(missing.map(|test| format!("{name}: {package} has no test {test}")));
        if tests.is_empty() {
            found.push(format!("{name}: `red {line}` names no test"));
        }
    }
    found
}

#[test]
fn every_mutant_is_of_the_code_that_there_is() {
    let mutants = mutants();
    let found: Vec<String> = mutants.iter().flat_map(complaints).collect();
    assert!(found.is_empty(), "\n{}\nMend tests/mutants/list.\n", found.join("\n"));
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "each has a name of its own");
}
