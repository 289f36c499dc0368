//! Which documents of a list are meant: `labelSelector` and `fieldSelector`.

use schemas::limits::SELECTOR_BYTES;
use serde_json::Value;

use super::refusal::Refusal;

/// Both selectors of a request. The default selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct LabelTerm {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// A document without the label passes too.
    NotIn(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTerm {
    /// `metadata.name`, read step by step.
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Reads both; `fields` names what may be selected by besides `metadata.name` and `metadata.namespace`.
    pub(super) fn parse(
        labels: Option<&str>,
        fields: Option<&str>,
        selectable: &[&str],
    ) -> Result<Selector, Refusal> {
        for (name, text) in [("labelSelector", labels), ("fieldSelector", fields)] {
            let bytes = text.map_or(0, str::len);
            if bytes > SELECTOR_BYTES {
                let message = format!("{name} has {bytes} bytes; at most {SELECTOR_BYTES} are taken");
                return Err(Refusal::bad_request(message));
            }
        }
        let labels = split_terms(labels.unwrap_or_default()).map(label_term).collect::<Result<_, _>>();
        let labels = labels.map_err(|problem| {
            Refusal::bad_request(format!("unable to parse requirement of labelSelector: {problem}"))
        })?;
        let fields = fields
            .unwrap_or_default()
            .split(',')
            .filter(|term| !term.trim().is_empty())
            .map(|term| field_term(term.trim(), selectable))
            .collect::<Result<_, _>>()?;
        Ok(Selector { labels, fields })
    }

    /// Whether everything is meant.
    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that is meant, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        let names = self.fields.iter().find(|term| term.equal && term.path == "metadata.name");
        names.map(|term| term.value.as_str())
    }

    /// Whether a document is meant.
    pub(super) fn selects(&self, document: &Value) -> bool {
        let labels = &document["metadata"]["labels"];
        self.labels.iter().all(|term| term.test.passes(labels.get(&term.key).and_then(Value::as_str)))
            && self.fields.iter().all(|term| (field(document, &term.path) == term.value) == term.equal)
    }
}

impl Test {
    fn passes(&self, label: Option<&str>) -> bool {
        match self {
            Test::Exists => label.is_some(),
            Test::Absent => label.is_none(),
            Test::In(values) => label.is_some_and(|label| values.iter().any(|value| value == label)),
            Test::NotIn(values) => label.is_none_or(|label| values.iter().all(|value| value != label)),
        }
    }
}

/// A scalar of a document as text; empty if there is none.
fn field(document: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(document, |value, step| value.get(step));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

/// Splits at commas outside parentheses.
fn split_terms(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let parts = text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn label_term(text: &str) -> Result<LabelTerm, String> {
    let term = |key: &str, test: Test| {
        let key = key.trim();
        let sound = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        if sound { Ok(LabelTerm { key: key.to_owned(), test }) } else { Err(format!("{text:?}")) }
    };
    if let Some((key, values)) = text.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(|| format!("{text:?}: no closing parenthesis"))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let key = key.trim_end();
        if let Some(key) = key.strip_suffix(" notin") {
            return term(key, Test::NotIn(values));
        }
        let key = key.strip_suffix(" in").ok_or_else(|| format!("{text:?}: in or notin is missing"))?;
        return term(key, Test::In(values));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return term(key, Test::NotIn(vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return term(key, Test::In(vec![value.trim().to_owned()]));
    }
    match text.strip_prefix('!') {
        Some(key) => term(key, Test::Absent),
        None => term(text, Test::Exists),
    }
}

fn field_term(text: &str, selectable: &[&str]) -> Result<FieldTerm, Refusal> {
    let not_equal = text.split_once("!=").map(|(path, value)| (path, value, false));
    let equal = || text.split_once("==").or_else(|| text.split_once('='));
    let (path, value, equal) = not_equal
        .or_else(|| equal().map(|(path, value)| (path, value, true)))
        .ok_or_else(|| Refusal::bad_request(format!("invalid field selector: {text:?}")))?;
    let path = path.trim();
    if !["metadata.name", "metadata.namespace"].contains(&path) && !selectable.contains(&path) {
        let known = [&["metadata.name", "metadata.namespace"], selectable].concat().join(", ");
        let message = format!("field label not supported: {path}; supported are {known}");
        return Err(Refusal::bad_request(message));
    }
    Ok(FieldTerm { path: path.to_owned(), value: value.trim().to_owned(), equal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(labels: &str, fields: &str) -> String {
        let documents = [
            json!({"metadata": {"name": "a", "labels": {"app": "web", "tier": "front"}}, "status": {"phase": "running"}}),
            json!({"metadata": {"name": "b", "labels": {"app": "db"}}, "status": {"phase": "pending"}}),
            json!({"metadata": {"name": "c"}, "status": {"phase": "running"}}),
        ];
        match Selector::parse(Some(labels), Some(fields), &["status.phase"]) {
            Ok(selector) => documents
                .iter()
                .filter(|document| selector.selects(document))
                .map(|document| document["metadata"]["name"].as_str().unwrap())
                .collect(),
            Err(refusal) => format!("refused: {}", refusal.message()),
        }
    }

    #[test]
    fn labels_are_selected_as_kubernetes_does() {
        let table = [
            ("", "abc"),
            ("app", "ab"),
            ("!app", "c"),
            ("app=web", "a"),
            ("app==web", "a"),
            ("app!=web", "bc"),
            ("app in (web, db)", "ab"),
            ("app notin (web,db)", "c"),
            ("app in (web,db),tier", "a"),
            ("app=web,tier!=front", ""),
        ];
        for (labels, names) in table {
            assert_eq!(selected(labels, ""), names, "{labels}");
        }
        assert!(selected("app in web", "").starts_with("refused"));
        assert!(selected("a b=c", "").starts_with("refused"));
        assert!(selected("app in (web", "").starts_with("refused"));
    }

    #[test]
    fn fields_are_selected_if_they_are_named() {
        assert_eq!(selected("", "metadata.name=b"), "b");
        assert_eq!(selected("", "metadata.name!=b,status.phase=running"), "ac");
        assert_eq!(
            selected("", "spec.priority=5"),
            "refused: field label not supported: spec.priority; supported are metadata.name, metadata.namespace, status.phase"
        );
        assert_eq!(selected("", "status.phase"), "refused: invalid field selector: \"status.phase\"");
    }
}
