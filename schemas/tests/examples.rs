//! The shipped examples are jobs that a cluster takes as they are.

use std::path::{Path, PathBuf};

use schemas::admission::{self, Verdict};
use schemas::text::{self, Checked, Options, Source};

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).expect("the folder of examples");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// What is said about one example, as written and with its defaults filled in: nothing, when all is well.
fn said(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let source = Source::new(name.clone(), std::fs::read_to_string(path).expect("a text"));
    let Checked { names: _, errors, unbuilt, warnings } = text::jobs(&source, &Options::default());
    let mut said = [errors, unbuilt, warnings].map(|list| text::render(&list, &source)).concat();
    if let Ok(parsed) = text::job(&source, &Options::default()) {
        let job = parsed.canonical();
        let Verdict { mistakes, unbuilt } = admission::judge(&job.metadata.name, &job.spec);
        said.extend(mistakes.iter().chain(&unbuilt).map(|problem| format!("{name}: {problem}\n")));
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
