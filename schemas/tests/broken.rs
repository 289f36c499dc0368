//! Every broken job file in `tests/broken` says the right place and the way out.
//!
//! What a file says is beside it in `NAME.stderr`. `UPDATE_GOLDEN=1 cargo test -p schemas --test broken` writes
//! them anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use schemas::text::{self, Options, Source};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let entries = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e != "stderr")).collect();
    files.sort();
    files
}

fn said(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = Source::new(name, fs::read_to_string(path).expect("it is text"));
    match text::job(&source, &Options::default()) {
        Ok(parsed) => panic!("{} is accepted: {:?}", source.name(), parsed.job),
        Err(errors) => text::render(&errors, &source),
    }
}

#[test]
fn broken_files_say_where_and_how_to_mend_them() {
    let files = files();
    assert!(files.len() > 20, "the files are there");
    let mut different = Vec::new();
    for path in files {
        let said = said(&path);
        let golden =
            path.with_file_name(format!("{}.stderr", path.file_name().unwrap_or_default().to_string_lossy()));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &said).expect("the folder can be written");
        }
        if fs::read_to_string(&golden).unwrap_or_default() != said {
            different.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(different.is_empty(), "differs from its .stderr file:\n{}", different.join("\n"));
}
