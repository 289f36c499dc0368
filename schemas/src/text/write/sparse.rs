//! What of a document is written: all but the defaults.

use serde_json::{Map, Value, json};

use crate::job::{Job, JobSpec};
use crate::text::API_VERSION;
use crate::text::schema::{Schema, Shape};
use crate::text::shape::SCHEMA;

/// The document of a job as people write it: no defaults, nothing that only the server sets.
pub(super) fn document(job: &Job) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(job.metadata.name));
    for (key, words) in [("labels", &job.metadata.labels), ("annotations", &job.metadata.annotations)] {
        if !words.is_empty() {
            metadata.insert(key.to_owned(), json!(words));
        }
    }
    if !job.metadata.namespace.is_empty() && job.metadata.namespace != "default" {
        metadata.insert("namespace".to_owned(), json!(job.metadata.namespace));
    }
    let spec = sparse_spec(&job.spec);
    json!({"apiVersion": API_VERSION, "kind": "Job", "metadata": metadata, "spec": spec})
}

/// What a job is to do, as people write it: no defaults.
pub fn sparse_spec(spec: &JobSpec) -> Value {
    let spec = serde_json::to_value(spec).expect("a job is plain values with text keys");
    sparse(&SCHEMA, &Shape::Struct(SCHEMA.root.clone()), spec)
}

/// A value without the fields that have their default.
fn sparse(schema: &Schema, shape: &Shape, value: Value) -> Value {
    match (shape, value) {
        (Shape::Struct(name), Value::Object(map)) => {
            let fields = schema.fields(name);
            let kept = map.into_iter().filter_map(|(key, value)| {
                let field = fields.iter().find(|field| field.property == key)?;
                let is_default = value.is_null() || field.default.as_ref() == Some(&value);
                (!is_default).then(|| (key, sparse(schema, &field.shape, value)))
            });
            Value::Object(kept.collect())
        }
        (Shape::List(of), Value::Array(items)) => {
            Value::Array(items.into_iter().map(|item| sparse(schema, of, item)).collect())
        }
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{to_hcl, to_json, to_yaml};
    use super::*;
    use crate::arbitrary::any_job;
    use crate::text::decode::decode;
    use crate::text::document::read;
    use crate::text::{Format, Options, Source};

    /// The spec that a text says, with what is wrong with the text if something is.
    fn again(text: &str, format: Format) -> Result<Value, String> {
        let source = Source::new("again", text);
        let options = Options { format: Some(format), ..Options::default() };
        let (documents, said) =
            read(&source, &options).map_err(|errors| crate::text::render(&errors, &source))?;
        if said.iter().any(crate::text::Diagnostic::is_error) {
            return Err(crate::text::render(&said, &source));
        }
        let document = &documents[0];
        let decoded =
            decode::<crate::job::JobSpec>(&source, &document.value["spec"], &document.places, "/spec");
        match decoded.value.filter(|_| decoded.errors.is_empty()) {
            Some(spec) => Ok(serde_json::to_value(spec).unwrap()),
            None => Err(crate::text::render(&decoded.errors, &source)),
        }
    }

    proptest! {
        #[test]
        fn every_job_survives_every_spelling(spec in any_job()) {
            let mut job = Job { spec, ..Job::default() };
            job.metadata.name = "a".to_owned();
            let expected = serde_json::to_value(&job.spec).unwrap();
            for (format, text) in [
                (Format::Json, to_json(&job)),
                (Format::Yaml, to_yaml(&job)),
                (Format::Hcl, to_hcl(&job)),
            ] {
                match again(&text, format) {
                    Ok(spec) => prop_assert_eq!(&spec, &expected, "{:?}\n{}", format, text),
                    Err(said) => prop_assert!(false, "{:?}\n{}\n{}", format, said, text),
                }
            }
        }

        #[test]
        fn every_text_survives_hcl_and_yaml(text in "[ -~\n\t\\\\\"'${}%#:é]{0,40}") {
            let mut job = Job::default();
            job.metadata.name = "a".to_owned();
            job.spec.meta.insert("key".to_owned(), text.clone());
            job.spec.meta.insert(text.clone(), "value".to_owned());
            let expected = serde_json::to_value(&job.spec).unwrap();
            prop_assert_eq!(again(&to_yaml(&job), Format::Yaml), Ok(expected.clone()), "{}", to_yaml(&job));
            prop_assert_eq!(again(&to_hcl(&job), Format::Hcl), Ok(expected), "{}", to_hcl(&job));
        }
    }
}
