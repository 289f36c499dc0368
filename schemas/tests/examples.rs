//! The shipped examples are jobs that a cluster takes as they are.

use std::path::{Path, PathBuf};

use schemas::text::{self, Options, Source};
use schemas::{support, validate};

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).expect("the folder of examples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// What is said about one example: nothing, when all is well.
fn said(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let source = Source::new(name.clone(), std::fs::read_to_string(path).expect("a text"));
    let parsed = match text::job(&source, &Options::default()) {
        Ok(parsed) => parsed,
        Err(errors) => return text::render(&errors, &source),
    };
    let job = &parsed.job;
    let mut said = text::render(&parsed.warnings, &source);
    let canonical = job.spec.clone().canonicalize(&job.metadata.name);
    for spec in [&job.spec, &canonical] {
        let problems = validate::job(&job.metadata.name, spec).into_iter().chain(support::unbuilt(spec));
        said.extend(problems.map(|problem| format!("{name}: {problem}\n")));
    }
    said
}

#[test]
fn examples_are_accepted_without_a_word() {
    let paths = examples();
    assert!(paths.len() >= 6, "{paths:?}");
    let said: String = paths.iter().map(|path| said(path)).collect();
    assert!(said.is_empty(), "{said}");
}
