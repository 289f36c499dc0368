//! The top of a job file: one `job` block to the envelope that every document has.

use std::sync::LazyLock;

use super::shaper::header;
use super::{Around, Shaper, sugar};
use crate::job::JobSpec;
use crate::text::diagnostic::Diagnostic;
use crate::text::gaps::Gaps;
use crate::text::hcl::{Block, Body};
use crate::text::node::{Entry, Node, NodeValue, join};
use crate::text::schema::{Schema, Shape};
use crate::text::source::{Source, Span};

/// The shape of a job.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<JobSpec>);

const TOP: [&str; 4] = ["job", "variable", "variables", "locals"];

/// What a job file declares.
pub(crate) struct Shaped {
    /// The document; nothing if the file declares none.
    pub(crate) node: Option<Node>,
    /// What is wrong or old.
    pub(crate) said: Vec<Diagnostic>,
    /// What of the document is not known because of that.
    pub(crate) gaps: Gaps,
}

/// The document that a job file declares.
pub(crate) fn shape(source: &Source, body: &Body) -> Shaped {
    let mut shaper = Shaper::new(source, &SCHEMA, Some(sugar::prepare));
    let mut job: Option<&Block> = None;
    for attribute in &body.attributes {
        unexpected(&mut shaper, &attribute.key, &attribute.key_span);
    }
    for block in &body.blocks {
        match (block.kind.as_str(), job) {
            ("job", None) => job = Some(block),
            ("job", Some(first)) => {
                let line = source.range(&first.kind_span).line;
                let message = "a file holds one job, and this is the second";
                let hint = format!("the first stands in line {line}; put this one into a file of its own");
                shaper.say(source.error(&header(block), message).hint(hint));
            }
            (other, _) => unexpected(&mut shaper, other, &block.kind_span),
        }
    }
    let Some(job) = job else {
        if shaper.said.is_empty() {
            let error = source.error(&(0..1), "there is no job in this file");
            shaper.say(error.hint("a job file holds `job \"name\" { … }`"));
        }
        return Shaped { node: None, said: shaper.said, gaps: shaper.gaps };
    };
    let node = Some(document(&mut shaper, job));
    Shaped { node, said: shaper.said, gaps: shaper.gaps }
}

fn unexpected(shaper: &mut Shaper<'_>, key: &str, span: &Span) {
    let error = shaper.source.error(span, format!("`{key}` cannot stand at the top of a file")).allowed(TOP);
    let error = if SCHEMA.fields(&SCHEMA.root).iter().any(|field| field.key == key) {
        error.hint(format!("`{key}` belongs inside the `job` block"))
    } else {
        error.nearest(key, TOP)
    };
    shaper.gaps.stranger("/spec", SCHEMA.property(key));
    shaper.say(error);
}

fn document(shaper: &mut Shaper<'_>, job: &Block) -> Node {
    let span = header(job);
    let mut body = job.body.clone();
    let metadata = metadata(shaper, job, &mut body);
    let spec = shaper.structure(Around::new("job", &SCHEMA.root, "/spec"), &body);
    let text = |text: &str| Node::new(NodeValue::String(text.to_owned()), span.clone());
    let entry =
        |key: &str, value: Node| Entry { key: key.to_owned(), key_span: job.kind_span.clone(), value };
    let entries = vec![
        entry("apiVersion", text(crate::text::API_VERSION)),
        entry("kind", text("Job")),
        entry("metadata", Node::new(NodeValue::Object(metadata), span.clone())),
        entry("spec", Node::new(NodeValue::Object(spec), span.clone())),
    ];
    Node::new(NodeValue::Object(entries), span)
}

/// Takes the name, the namespace and the labels out of the body.
fn metadata(shaper: &mut Shaper<'_>, job: &Block, body: &mut Body) -> Vec<Entry> {
    let mut metadata = Vec::new();
    match &job.labels[..] {
        [label] => {
            let value = Node::new(NodeValue::String(label.text.clone()), label.span.clone());
            metadata.push(Entry { key: "name".to_owned(), key_span: label.span.clone(), value });
        }
        [] => {
            let error = shaper.source.error(&job.kind_span, "the job has no name");
            shaper.gaps.value("/metadata/name");
            shaper.say(error.hint("write `job \"name\" {`"));
        }
        [_, second, ..] => {
            let error = shaper.source.error(&second.span, "a job has one name");
            shaper.gaps.value("/metadata/name");
            shaper.say(error.hint("write `job \"name\" {`"));
        }
    }
    // Of these words only the name is judged, and it is the label.
    body.unknown.retain(|key| !["namespace", "id", "name", "labels", "annotations"].contains(&key.as_str()));
    let attributes = std::mem::take(&mut body.attributes);
    let mut called = Vec::new();
    for entry in attributes {
        match entry.key.as_str() {
            "namespace" => metadata.push(entry),
            "id" | "name" => called.push(entry),
            "labels" | "annotations" => words(shaper, &entry, &mut metadata),
            _ => body.attributes.push(entry),
        }
    }
    let blocks = std::mem::take(&mut body.blocks);
    for block in blocks {
        if !matches!(block.kind.as_str(), "labels" | "annotations") {
            body.blocks.push(block);
            continue;
        }
        let pointer = join("/metadata", &block.kind);
        let value = shaper.free(&block.body, &Shape::Text, (&pointer, header(&block)));
        metadata.push(Entry { key: block.kind, key_span: block.kind_span, value });
    }
    title(shaper, &called, &mut metadata);
    metadata
}

fn words(shaper: &mut Shaper<'_>, entry: &Entry, metadata: &mut Vec<Entry>) {
    let shape = Shape::Map(Box::new(Shape::Text));
    match super::scalar::convert(shaper.source, &shape, &entry.key, &entry.value) {
        Ok(value) => metadata.push(Entry { value, ..entry.clone() }),
        Err(error) => shaper.say(error),
    }
}

/// The annotation that keeps the name of a job which is known by another word.
pub(super) const TITLE: &str = "encamp.dev/title";

/// A job is known by one word, which `id` may give instead of the label; what it is called besides is kept.
fn title(shaper: &mut Shaper<'_>, called: &[Entry], metadata: &mut Vec<Entry>) {
    if let Some(entry) = called.iter().find(|entry| entry.value.as_str().is_none()) {
        let message = format!("`{}` must be a string, not {}", entry.key, entry.value.kind());
        shaper.say(shaper.source.error(&entry.value.span, message));
        return;
    }
    let Some(known) = metadata.iter_mut().find(|entry| entry.key == "name") else { return };
    let mut kept = called.iter().find(|entry| entry.key == "name").cloned();
    if let Some(id) = called.iter().find(|entry| entry.key == "id") {
        let label = std::mem::replace(&mut known.value, id.value.clone());
        kept.get_or_insert_with(|| Entry { value: label, ..id.clone() });
    }
    let (Some(kept), Some(known)) = (kept, known.value.as_str()) else { return };
    let title = kept.value.as_str().unwrap_or_default();
    if title == known {
        return;
    }
    let message = format!("the job is known by `{known}` here, to its tasks as well");
    shaper.warn(&kept.key_span, &message, &format!("`{title}` is kept as the annotation `{TITLE}`"));
    keep(metadata, Entry { key: TITLE.to_owned(), ..kept });
}

/// Adds an annotation, unless the job has one of that name.
pub(super) fn keep(metadata: &mut Vec<Entry>, kept: Entry) {
    let annotations = metadata.iter_mut().find(|entry| entry.key == "annotations");
    match annotations.map(|entry| &mut entry.value.value) {
        Some(NodeValue::Object(entries)) if entries.iter().any(|entry| entry.key == kept.key) => {}
        Some(NodeValue::Object(entries)) => entries.push(kept),
        Some(_) => {}
        None => {
            let span = kept.key_span.clone();
            let value = Node::new(NodeValue::Object(vec![kept]), span.clone());
            metadata.push(Entry { key: "annotations".to_owned(), key_span: span, value });
        }
    }
}
