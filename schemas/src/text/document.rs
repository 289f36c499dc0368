//! Whole documents: one or more in a text, each with its kind, its canonical form and its places.

use serde_json::Value;

use super::diagnostic::{Diagnostic, part};
use super::gaps::Gaps;
use super::node::{Node, Places};
use super::options::{Format, Options};
use super::source::Source;
use super::{hcl, json, shape, yaml};
use crate::limits;
use crate::validate::nearest;

/// The group and version of every document that people write.
pub const API_VERSION: &str = "encamp.dev/v1";

/// One document of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is: `Job`, `Namespace` …; empty if it does not say so, which is an error of the text.
    pub kind: String,
    /// The whole document, envelope included.
    pub value: Value,
    /// Where each of its fields was written.
    pub places: Places,
    /// The same as a tree, for readers that check it against a schema.
    pub(crate) node: Node,
    /// What of it could not be read.
    pub(crate) gaps: Gaps,
}

/// All documents of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The documents in the order of the text.
    pub documents: Vec<Document>,
    /// What should change although the text is used.
    pub warnings: Vec<Diagnostic>,
}

/// Reads every document of a text, of any kind. An HCL file is always one job.
///
/// Documents are not checked against the schema of their kind here; see [`super::job`] for jobs.
pub fn parse_file(source: &Source, options: &Options) -> Result<Parsed, Vec<Diagnostic>> {
    let (documents, said) = read(source, options)?;
    let (errors, warnings) = part(said);
    if errors.is_empty() { Ok(Parsed { documents, warnings }) } else { Err(errors) }
}

/// The documents of a text as far as they can be read, and everything said about it.
pub(crate) fn read(
    source: &Source,
    options: &Options,
) -> Result<(Vec<Document>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let format = options.format.unwrap_or_else(|| Format::of(source));
    let mut said = Vec::new();
    let whole = |nodes: Vec<Node>| nodes.into_iter().map(|node| (node, Gaps::default())).collect();
    let nodes: Vec<(Node, Gaps)> = match format {
        Format::Hcl => {
            let document = hcl::parse(source, options, hcl::Unbound::Keep).map_err(|error| vec![error])?;
            said.extend(document.said);
            shaped(shape::job(source, &document.body), &mut said)
        }
        Format::Yaml => whole(yaml::parse(source)?),
        Format::Json => {
            let node = json::parse(source)?;
            if shape::nomad::is_one(&node) {
                shaped(shape::nomad::shape(source, &node), &mut said)
            } else {
                whole(vec![node])
            }
        }
    };
    let documents: Vec<Document> =
        nodes.into_iter().filter_map(|(node, gaps)| document(source, node, gaps, &mut said)).collect();
    if documents.is_empty() && said.is_empty() {
        said.push(source.error(&(0..1), "the text is empty").hint("a document begins with `kind:`"));
    }
    Ok((documents, said))
}

/// The one value of a YAML or JSON text, whatever it is; nothing at all is null.
pub fn value(source: &Source, format: Plain) -> Result<Value, Vec<Diagnostic>> {
    let mut nodes = match format {
        Plain::Yaml => yaml::parse(source)?,
        Plain::Json => vec![json::parse(source)?],
    }
    .into_iter();
    let Some(first) = nodes.next() else { return Ok(Value::Null) };
    match nodes.next() {
        None => Ok(first.to_json()),
        Some(second) => {
            let message = "one document is expected, and here a second one begins";
            Err(vec![source.error(&second.span, message).hint("send each by itself")])
        }
    }
}

/// A spelling that needs no schema to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// The strict subset of YAML that JSON can say.
    Yaml,
    /// JSON, no key twice.
    Json,
}

fn shaped(shaped: shape::Shaped, said: &mut Vec<Diagnostic>) -> Vec<(Node, Gaps)> {
    said.extend(shaped.said);
    shaped.node.map(|node| (node, shaped.gaps)).into_iter().collect()
}

fn document(source: &Source, node: Node, gaps: Gaps, said: &mut Vec<Diagnostic>) -> Option<Document> {
    if node.entries().is_none() {
        let message = format!("a document is a map with `kind`, `metadata` and `spec`, not {}", node.kind());
        said.push(source.error(&node.span, message));
        return None;
    }
    let value = node.to_json();
    if let Some(why) = limits::excess(&value) {
        said.push(source.error(&node.span, format!("the document is too much: {why}")));
        return None;
    }
    word(source, &node, "apiVersion", API_VERSION, said);
    let kind = word(source, &node, "kind", "Job", said).unwrap_or_default();
    Some(Document { kind, value, places: node.places(), node, gaps })
}

/// The word that a key of the envelope must have.
fn word(
    source: &Source,
    node: &Node,
    key: &str,
    example: &str,
    said: &mut Vec<Diagnostic>,
) -> Option<String> {
    let hint = format!("write `{key}: {example}`");
    let written = node.get(key);
    if let Some(text) = written.and_then(|entry| entry.value.as_str()).filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    let error = written.map_or_else(
        || {
            let entries = node.entries().unwrap_or_default();
            let same = entries.iter().find(|entry| nearest(&entry.key, &[key]).is_some());
            let start = node.span.start..node.span.start + 1;
            let span = same.map_or(start, |entry| entry.key_span.clone());
            source.error(&span, format!("the key `{key}` is missing"))
        },
        |entry| {
            source.error(&entry.value.span, format!("`{key}` must be a word, not {}", entry.value.kind()))
        },
    );
    said.push(error.hint(hint).pointer(format!("/{key}")));
    None
}

impl Document {
    /// Puts a diagnostic that only knows its pointer at the line of the text.
    #[must_use]
    pub fn pin(&self, source: &Source, diagnostic: Diagnostic) -> Diagnostic {
        let pointer = diagnostic.pointer.as_deref().unwrap_or_default();
        let Some(place) = self.places.find(pointer) else { return diagnostic };
        let span = if self.places.exact(pointer).is_some() { &place.value } else { &place.key };
        let range = source.range(span);
        diagnostic.at(source.name(), range)
    }

    /// The same, at the key of the field instead of its value.
    pub(crate) fn pin_to_key(&self, source: &Source, diagnostic: Diagnostic) -> Diagnostic {
        let pointer = diagnostic.pointer.as_deref().unwrap_or_default();
        match self.places.find(pointer) {
            Some(place) => {
                let range = source.range(&place.key);
                diagnostic.at(source.name(), range)
            }
            None => diagnostic,
        }
    }
}
