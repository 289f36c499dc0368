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
    for entry in attributes {
        match entry.key.as_str() {
            "namespace" => metadata.push(entry),
            "id" | "name" => same_name(shaper, job, &entry),
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
    metadata
}

fn words(shaper: &mut Shaper<'_>, entry: &Entry, metadata: &mut Vec<Entry>) {
    let shape = Shape::Map(Box::new(Shape::Text));
    match super::scalar::convert(shaper.source, &shape, &entry.key, &entry.value) {
        Ok(value) => metadata.push(Entry { value, ..entry.clone() }),
        Err(error) => shaper.say(error),
    }
}

fn same_name(shaper: &mut Shaper<'_>, job: &Block, entry: &Entry) {
    let label = job.labels.first().map(|label| label.text.as_str());
    if entry.value.as_str() != label {
        let error = shaper.source.error(&entry.key_span, "the name of a job is the word after `job`");
        shaper.say(error.hint(format!("remove `{}`", entry.key)));
    }
}
