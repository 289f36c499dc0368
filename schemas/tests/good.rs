//! Job files as people write them: the whole language, its short and its old forms.
//!
//! What is said about a file and the job in YAML and HCL are beside it in `NAME.stdout`.
//! `UPDATE_GOLDEN=1 cargo test -p schemas --test good` writes them anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use schemas::text::{self, Options, ParsedJob, Source};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e != "stdout")).collect();
    files.sort();
    files
}

fn read(name: &str, text: &str) -> (Source, ParsedJob) {
    let source = Source::new(name, text);
    match text::job(&source, &Options::default()) {
        Ok(parsed) => (source, parsed),
        Err(errors) => panic!("{name} is refused:\n{}", text::render(&errors, &source)),
    }
}

#[test]
fn good_files_mean_what_is_beside_them() {
    let files = files();
    assert!(files.len() > 3, "the files are there");
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (source, parsed) = read(&name, &fs::read_to_string(&path).expect("it is text"));
        let said = text::render(&parsed.warnings, &source);
        let (yaml, hcl) = (text::to_yaml(&parsed.job), text::to_hcl(&parsed.job));
        let shown = format!("{said}--- YAML\n{yaml}--- HCL\n{hcl}");
        let golden = path.with_file_name(format!("{name}.stdout"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &shown).expect("the folder can be written");
        }
        assert_eq!(shown, fs::read_to_string(&golden).unwrap_or_default(), "{name}");
        for (name, text) in
            [("again.yaml", yaml), ("again.hcl", hcl), ("again.json", text::to_json(&parsed.job))]
        {
            assert_eq!(read(name, &text).1.job, parsed.job, "{text}");
        }
    }
}
