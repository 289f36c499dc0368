//! The layout of HCL files: golden files, and the laws that nothing but blanks changes and that laying out
//! twice changes nothing.

use std::fs;
use std::path::Path;

use schemas::text::{Source, format_hcl};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect("the file is there")
}

fn formatted(text: &str) -> String {
    format_hcl(&Source::new("text.hcl", text)).expect("the text parses")
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn ugly_files_become_tidy_and_tidy_ones_stay() {
    let ugly = read("tests/format/ugly.hcl");
    let tidy = formatted(&ugly);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/tidy.hcl");
        fs::write(path, &tidy).expect("the folder can be written");
    }
    assert_eq!(tidy, read("tests/format/tidy.hcl"));
    assert_eq!(formatted(&tidy), tidy);
    assert_eq!(letters(&tidy), letters(&ugly));
}

#[test]
fn a_broken_file_is_not_touched() {
    let error = format_hcl(&Source::new("text.hcl", "job \"a\" {\n")).expect_err("it is not closed");
    assert_eq!(error.message, "this block is not closed");
}
