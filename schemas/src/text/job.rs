//! A text to a job that may be stored: read, decoded, filled in and validated, every problem at its line.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostic, Severity, part};
use super::document::{self, Document};
use super::options::Options;
use super::schema::Schema;
use super::shape::SCHEMA;
use super::source::Source;
use super::{API_VERSION, fit};
use crate::job::{Job, JobSpec};
use crate::meta::ObjectMeta;
use crate::validate::{self, nearest};

/// The namespace of a job that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// The shape of `metadata`.
static METADATA: LazyLock<Schema> = LazyLock::new(Schema::of::<ObjectMeta>);

/// A job and the text it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedJob {
    /// The job as it was written, with a namespace; the defaults of its blocks are not filled in.
    pub job: Job,
    /// The document, to put problems found later at their lines.
    pub document: Document,
    /// What should change although the job is taken.
    pub warnings: Vec<Diagnostic>,
}

impl ParsedJob {
    /// The job in its canonical form, which is what is stored.
    pub fn canonical(&self) -> Job {
        let spec = self.job.spec.clone().canonicalize(&self.job.metadata.name);
        Job { spec, ..self.job.clone() }
    }
}

/// Reads the one job of a text.
pub fn job(source: &Source, options: &Options) -> Result<ParsedJob, Vec<Diagnostic>> {
    let (documents, mut said) = document::read(source, options)?;
    let mut documents = documents.into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        let error = source.error(&second.node.span, "one job is expected, and here a second document begins");
        said.push(error.hint("apply a file of several documents with `apply`"));
    }
    match first {
        Some(document) => finish(source, document, said),
        None => Err(part(said).0),
    }
}

/// Everything that can be said about the jobs of a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checked {
    /// The names of the jobs that are valid.
    pub names: Vec<String>,
    /// Why the text is refused.
    pub errors: Vec<Diagnostic>,
    /// What should change although the text is taken.
    pub warnings: Vec<Diagnostic>,
}

/// Checks every job of a text, each document on its own, so that a bad one does not hide those after it.
pub fn jobs(source: &Source, options: &Options) -> Checked {
    let (documents, mut said) = match document::read(source, options) {
        Ok(read) => read,
        Err(errors) => return Checked { errors: part(errors).0, ..Checked::default() },
    };
    let mut names = Vec::new();
    let is_alone = documents.len() == 1;
    for document in documents {
        // What was said while reading a lone document is about it, and keeps what only follows from it unsaid.
        let known = if is_alone { std::mem::take(&mut said) } else { Vec::new() };
        match finish(source, document, known) {
            Ok(parsed) => {
                names.push(parsed.job.metadata.name.clone());
                said.extend(parsed.warnings);
            }
            Err(errors) => said.extend(errors),
        }
    }
    let (errors, warnings) = part(said);
    Checked { names, errors, warnings }
}

/// The job that a document holds.
pub fn job_of(source: &Source, document: Document) -> Result<ParsedJob, Vec<Diagnostic>> {
    finish(source, document, Vec::new())
}

/// Decodes a document even if something is wrong already, so that everything is said at once; what is whole is
/// validated.
fn finish(
    source: &Source,
    document: Document,
    mut said: Vec<Diagnostic>,
) -> Result<ParsedJob, Vec<Diagnostic>> {
    let decoded = decode(source, &document, &mut said);
    let Some(mut job) = decoded.filter(|_| !said.iter().any(Diagnostic::is_error)) else {
        return Err(part(said).0);
    };
    if job.metadata.namespace.is_empty() {
        DEFAULT_NAMESPACE.clone_into(&mut job.metadata.namespace);
    }
    let parsed = ParsedJob { job, document, warnings: Vec::new() };
    let canonical = parsed.canonical();
    let problems = validate::job(&canonical.metadata.name, &canonical.spec);
    said.extend(problems.into_iter().map(|problem| {
        let about_key = problem.about_key;
        let diagnostic = from_problem(problem);
        if about_key {
            parsed.document.pin_to_key(source, diagnostic)
        } else {
            parsed.document.pin(source, diagnostic)
        }
    }));
    let (errors, warnings) = part(said);
    if errors.is_empty() { Ok(ParsedJob { warnings, ..parsed }) } else { Err(errors) }
}

/// Decodes the parts of the envelope one by one, so that an error in one does not hide those in another.
fn decode(source: &Source, document: &Document, said: &mut Vec<Diagnostic>) -> Option<Job> {
    said.extend(envelope(source, document));
    let metadata: Option<ObjectMeta> = field(source, document, &METADATA, "metadata", said);
    let spec: Option<JobSpec> = field(source, document, &SCHEMA, "spec", said);
    Some(Job { metadata: metadata?, spec: spec?, ..Job::default() })
}

fn field<T: DeserializeOwned>(
    source: &Source,
    document: &Document,
    schema: &Schema,
    key: &str,
    said: &mut Vec<Diagnostic>,
) -> Option<T> {
    let pointer = format!("/{key}");
    let Some(entry) = document.node.get(key) else {
        let start = document.node.span.start;
        said.push(source.error(&(start..start + 1), format!("the key `{key}` is missing")).pointer(pointer));
        return None;
    };
    let misfits = fit::check(source, schema, &entry.value, (key, &pointer));
    if !misfits.is_empty() {
        said.extend(misfits);
        return None;
    }
    document.decode(source, &pointer).map_err(|errors| said.extend(errors)).ok()
}

fn envelope(source: &Source, document: &Document) -> Vec<Diagnostic> {
    const KEYS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let mut errors = Vec::new();
    for entry in document.node.entries().unwrap_or_default() {
        let is_missing_word = nearest(&entry.key, &["apiVersion", "kind"])
            .is_some_and(|word| document.node.get(word).is_none());
        if KEYS.contains(&entry.key.as_str()) || is_missing_word {
            continue;
        }
        let error = source.error(&entry.key_span, format!("unknown key `{}` in the document", entry.key));
        let error = error.allowed(KEYS).pointer(super::node::join("", &entry.key));
        let spec = SCHEMA.fields(&SCHEMA.root).iter().any(|field| field.property == entry.key);
        errors.push(if spec {
            error.hint(format!("`{}` belongs under `spec`", entry.key))
        } else {
            error.nearest(&entry.key, KEYS)
        });
    }
    let wrong = |pointer: &str, message: String, hint: String| {
        let error = Diagnostic::error(message).pointer(pointer).hint(hint);
        document.pin(source, error)
    };
    if document.kind != "Job" {
        errors.push(wrong(
            "/kind",
            format!("a Job is expected, not `{}`", document.kind),
            "write `kind: Job`".to_owned(),
        ));
    }
    let version = document.value.get("apiVersion").and_then(serde_json::Value::as_str).unwrap_or_default();
    if version != API_VERSION && !version.is_empty() {
        let hint = format!("write `apiVersion: {API_VERSION}`");
        errors.push(wrong("/apiVersion", format!("the version `{version}` is not known"), hint));
    }
    errors
}

fn from_problem(problem: validate::Problem) -> Diagnostic {
    let validate::Problem { pointer, severity, message, allowed, hint, about_key: _ } = problem;
    let severity = match severity {
        validate::Severity::Error => Severity::Error,
        validate::Severity::Warning => Severity::Warning,
    };
    let diagnostic = Diagnostic { severity, ..Diagnostic::error(message) }.pointer(pointer).allowed(allowed);
    match hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}
