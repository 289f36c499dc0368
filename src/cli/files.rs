//! Files that people give: HCL, YAML and JSON, mixed, in folders, from stdin.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::text::{self, Diagnostic, Options, Source};
use serde_json::Value;

use super::beside::Beside;
use super::connection::{CliError, Connection, quoted};
use super::kinds::{self, Kind};
use super::print;
use super::tree::{FileArgs, Global};

/// One document of a file.
#[derive(Clone, Debug)]
pub(super) struct FileDocument {
    document: text::Document,
    /// The text it stands in, to point at.
    source: Source,
}

/// Where a document lives on the server.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Target {
    /// The path of the document.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.kind.path(Some(&self.namespace)), quoted(&self.name))
    }
}

impl FileDocument {
    /// As it was written, defaults not filled in: what is not named here is not owned.
    pub(super) fn value(&self) -> &Value {
        &self.document.value
    }

    /// Everything that can be said about it without a server.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.document.kind != "Job" {
            return Ok(());
        }
        match text::job_of(&self.source, self.document.clone()) {
            Ok(parsed) => warn(&parsed.warnings, &self.source),
            Err(errors) => {
                let said = text::render(&errors, &self.source);
                return Err(CliError::failed(format!("the file is not valid\n{}", said.trim_end())));
            }
        }
        Ok(())
    }

    /// Where it lives on the server; `-n` must not contradict the file.
    pub(super) async fn target(&self, connection: &Connection, global: &Global) -> Result<Target, CliError> {
        let text::Document { kind, value, .. } = &self.document;
        let file = self.source.name();
        let word = |name: &str| value["metadata"][name].as_str().map(str::to_owned);
        let name = word("name")
            .ok_or_else(|| CliError::failed(format!("{file}: a {kind} without metadata.name")))?;
        let namespace = match (word("namespace"), global.named_namespace()) {
            (Some(own), Some(named)) if own != named && global.namespace.is_some() => {
                return Err(CliError::failed(format!(
                    "{file}: {kind} {name:?} is in namespace {own:?}, but --namespace says {named:?}"
                )));
            }
            (Some(own), _) => own,
            (None, named) => named.unwrap_or_else(|| "default".to_owned()),
        };
        Ok(Target { kind: kinds::kind(connection, kind).await?, namespace, name })
    }

    /// What the server said about fields, underlined in the user's own text.
    pub(super) fn explained(&self, error: CliError) -> CliError {
        let CliError::Invalid { message, causes } = error else { return error };
        let mut text = String::new();
        let mut left = Vec::new();
        for (field, cause) in causes {
            let Some(place) = self.document.places.find(&pointer(&field)) else {
                left.push((field, cause));
                continue;
            };
            let said = self.source.error(&place.value, cause).pointer(field);
            writeln!(text, "{}", text::render(&[said], &self.source)).unwrap_or_default();
        }
        if text.is_empty() {
            return CliError::Invalid { message, causes: left };
        }
        CliError::Invalid {
            message: format!("the server refuses the document\n{}", text.trim_end()),
            causes: left,
        }
    }
}

/// `spec.groups[0].count` as a JSON pointer.
fn pointer(field: &str) -> String {
    let words = field.split(['.', '[', ']']).filter(|word| !word.is_empty());
    words.fold(String::new(), |pointer, word| pointer + "/" + word)
}

/// Reads all documents of some files and folders; every error of every file is told before anything is done.
pub(super) fn read(paths: &[PathBuf], args: &FileArgs) -> Result<Vec<FileDocument>, CliError> {
    let options = options(args)?;
    let mut documents = Vec::new();
    let mut failures = 0;
    for path in expand(paths)? {
        let source = load(&path)?;
        match text::parse_file(&source, &options) {
            Ok(parsed) => {
                warn(&parsed.warnings, &source);
                let with_source = |document| FileDocument { document, source: source.clone() };
                documents.extend(parsed.documents.into_iter().map(with_source));
            }
            Err(errors) => {
                failures += 1;
                print::talk(text::render(&errors, &source).trim_end());
            }
        }
    }
    if failures > 0 { Err(CliError::failed("nothing was done")) } else { Ok(documents) }
}

/// Passes warnings on.
pub(super) fn warn(warnings: &[Diagnostic], source: &Source) {
    if !warnings.is_empty() {
        print::talk(text::render(warnings, source).trim_end());
    }
}

/// How to read files: variables from flags, files and the environment.
pub(super) fn options(args: &FileArgs) -> Result<Options, CliError> {
    let mut variables = BTreeMap::new();
    for given in &args.variables {
        let Some((name, value)) = given.split_once('=') else {
            return Err(CliError::failed(format!("--var {given:?} is not NAME=VALUE")));
        };
        variables.insert(name.to_owned(), value.to_owned());
    }
    let var_files: Result<Vec<Source>, CliError> =
        args.variable_files.iter().map(|path| load(path)).collect();
    Ok(Options {
        variables,
        var_files: var_files?,
        env: environment(),
        files: Some(Arc::new(Beside)),
        ..Options::default()
    })
}

/// The environment as far as it is text; values of variables are.
fn environment() -> BTreeMap<String, String> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Reads one file; `-` is stdin.
pub(super) fn load(path: &Path) -> Result<Source, CliError> {
    let name = path.display().to_string();
    let read = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = read.map_err(|error| CliError::failed(format!("{name}: {error}")))?;
    String::from_utf8(bytes).map(|text| Source::new(name.clone(), text)).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        CliError::failed(format!(
            "{name}:{line}:{column}: this byte is not UTF-8; save the file as UTF-8 text"
        ))
    })
}

/// Files as they are; of folders, the job files in them, sorted.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |error: std::io::Error| CliError::failed(format!("{}: {error}", path.display()));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            found.push(entry.map_err(failed)?.path());
        }
        found.sort();
        let is_job_file = |file: &PathBuf| {
            let extension = file.extension().and_then(|word| word.to_str()).unwrap_or_default();
            file.is_file() && ["hcl", "nomad", "yaml", "yml", "json"].contains(&extension)
        };
        let before = files.len();
        files.extend(found.into_iter().filter(is_job_file));
        if files.len() == before {
            let message = "no job files (.hcl, .nomad, .yaml, .yml, .json) in this folder";
            return Err(CliError::failed(format!("{}: {message}", path.display())));
        }
    }
    Ok(files)
}
