//! A text to a job that may be stored: read, decoded, filled in and validated, every problem at its line.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostic, Severity, part};
use super::document::{self, Document};
use super::options::Options;
use super::schema::Schema;
use super::shape::SCHEMA;
use super::source::Source;
use super::{API_VERSION, decode, fit};
use crate::admission::{self, Verdict};
use crate::job::{Job, JobSpec};
use crate::meta::ObjectMeta;
use crate::validate::{self, Problem, nearest};

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
    let (documents, mut said) = document::read(source, options).map_err(|errors| part(errors).0)?;
    let mut documents = documents.into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        let error = source.error(&second.node.span, "one job is expected, and here a second document begins");
        said.push(error.hint("apply a file of several documents with `apply`"));
    }
    match first {
        Some(document) => finish(judge(source, document), said),
        None => Err(part(said).0),
    }
}

/// Everything that can be said about the jobs of a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checked {
    /// The names of the jobs that are well formed.
    pub names: Vec<String>,
    /// What is wrong with the text.
    pub errors: Vec<Diagnostic>,
    /// What is well formed, and no server does it yet.
    pub unbuilt: Vec<Diagnostic>,
    /// What should change although the text is taken.
    pub warnings: Vec<Diagnostic>,
}

impl Checked {
    /// Whether a server takes every job of the text.
    pub fn is_taken(&self) -> bool {
        self.errors.is_empty() && self.unbuilt.is_empty()
    }
}

/// Checks every job of a text, each document on its own, so that a bad one does not hide those after it.
pub fn jobs(source: &Source, options: &Options) -> Checked {
    let (documents, mut said) = match document::read(source, options) {
        Ok(read) => read,
        Err(errors) => return Checked { errors: part(errors).0, ..Checked::default() },
    };
    let (mut names, mut unbuilt) = (Vec::new(), Vec::new());
    for document in documents {
        let judged = judge(source, document);
        if !judged.said.iter().any(Diagnostic::is_error) {
            names.push(judged.job.metadata.name);
        }
        said.extend(judged.said);
        unbuilt.extend(judged.unbuilt);
    }
    let (refused, more) = part(unbuilt);
    said.extend(more);
    let (errors, warnings) = part(said);
    Checked { names, errors, unbuilt: refused, warnings }
}

/// The job that a document holds.
pub fn job_of(source: &Source, document: Document) -> Result<ParsedJob, Vec<Diagnostic>> {
    finish(judge(source, document), Vec::new())
}

/// A document after everything that can be known of it was judged.
struct Judged {
    /// The job without what could not be read.
    job: Job,
    document: Document,
    /// What is wrong with it and what should change.
    said: Vec<Diagnostic>,
    /// What the cluster cannot do yet.
    unbuilt: Vec<Diagnostic>,
}

/// The job of a document, unless an error was said about it or `before`.
fn finish(judged: Judged, mut before: Vec<Diagnostic>) -> Result<ParsedJob, Vec<Diagnostic>> {
    let Judged { job, document, said, unbuilt: _ } = judged;
    before.extend(said);
    let (errors, warnings) = part(before);
    if errors.is_empty() { Ok(ParsedJob { job, document, warnings }) } else { Err(errors) }
}

/// Reads what can be read of a document and judges what can be judged of that, so that everything is said at once.
fn judge(source: &Source, mut document: Document) -> Judged {
    let mut said = envelope(source, &document);
    let metadata: ObjectMeta = field(source, &mut document, &METADATA, ("metadata", &mut said));
    let spec: JobSpec = field(source, &mut document, &SCHEMA, ("spec", &mut said));
    let mut job = Job { metadata, spec, ..Job::default() };
    if job.metadata.namespace.is_empty() {
        DEFAULT_NAMESPACE.clone_into(&mut job.metadata.namespace);
    }
    let Verdict { mistakes, unbuilt } = admission::judge(&job.metadata.name, &job.spec);
    said.extend(pinned(source, &document, mistakes));
    let unbuilt = pinned(source, &document, unbuilt);
    Judged { job, document, said, unbuilt }
}

/// The problems at their lines, without those that may only follow from what could not be read.
fn pinned(source: &Source, document: &Document, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let stands = |problem: &Problem| !document.gaps.may_explain(problem, &document.places);
    let pin = |problem: Problem| {
        let about_key = problem.about_key;
        let diagnostic = from_problem(problem);
        if about_key { document.pin_to_key(source, diagnostic) } else { document.pin(source, diagnostic) }
    };
    problems.into_iter().filter(stands).map(pin).collect()
}

/// Decodes one part of the envelope; what cannot be decoded is said, noted as a gap, and left out.
fn field<T: DeserializeOwned + Default>(
    source: &Source,
    document: &mut Document,
    schema: &Schema,
    (key, said): (&str, &mut Vec<Diagnostic>),
) -> T {
    let pointer = format!("/{key}");
    let Some(entry) = document.node.get(key) else {
        let start = document.node.span.start;
        let message = format!("the key `{key}` is missing");
        said.push(source.error(&(start..start + 1), message).pointer(&pointer));
        document.gaps.value(pointer);
        return T::default();
    };
    let misfits = fit::check(source, schema, &entry.value, (key, &pointer));
    said.extend(misfits.said);
    document.gaps.extend(misfits.gaps);
    let mut rest = document.value.clone();
    for misfit in &misfits.pointers {
        document.gaps.value(decode::take_out(&mut rest, misfit).unwrap_or(misfit));
    }
    let Some(value) = rest.pointer(&pointer) else { return T::default() };
    let decoded = decode::decode(source, value, &document.places, &pointer);
    said.extend(decoded.errors);
    document.gaps.extend(decoded.gaps);
    decoded.value.unwrap_or_else(|| {
        document.gaps.value(pointer);
        T::default()
    })
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
    if !matches!(document.kind.as_str(), "Job" | "") {
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

fn from_problem(problem: Problem) -> Diagnostic {
    let Problem { pointer, severity, message, allowed, hint, about_key: _, depends_on: _ } = problem;
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
