//! A set of fields of a document, in Kubernetes' `FieldsV1` notation: `f:name` steps into a field, `k:{…}` into
//! the item of a list with that key, `.` says that the place itself is in the set.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A tree of steps; a place is in the set or not, whatever is under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(super) is_member: bool,
    pub(super) under: BTreeMap<String, Fields>,
}

impl Fields {
    /// Whether nothing is in the set.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_member && self.under.values().all(Fields::is_empty)
    }

    /// Adds what is under a step, unless it is nothing.
    pub(super) fn put(&mut self, step: String, under: Fields) {
        if !under.is_empty() {
            self.under.insert(step, under);
        }
    }

    /// What is in either.
    pub(super) fn or(&self, other: &Fields) -> Fields {
        self.combine(other, |one, other| one || other)
    }
    /// What is in both.
    pub(super) fn and(&self, other: &Fields) -> Fields {
        self.combine(other, |one, other| one && other)
    }
    /// What is in this one only.
    pub(super) fn without(&self, other: &Fields) -> Fields {
        self.combine(other, |one, other| one && !other)
    }

    fn combine(&self, other: &Fields, keep: fn(bool, bool) -> bool) -> Fields {
        let nothing = Fields::default();
        let mut out = Fields { is_member: keep(self.is_member, other.is_member), under: BTreeMap::new() };
        for step in self.under.keys().chain(other.under.keys()) {
            let of = |fields: &'_ Fields| fields.under.get(step).cloned();
            let one = of(self).unwrap_or_else(|| nothing.clone());
            let other = of(other).unwrap_or_else(|| nothing.clone());
            out.put(step.clone(), one.combine(&other, keep));
        }
        out
    }

    /// In the notation of `fieldsV1`.
    pub(super) fn to_json(&self) -> Value {
        let mut out = Map::new();
        if self.is_member && !self.under.is_empty() {
            out.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (step, under) in &self.under {
            out.insert(step.clone(), under.to_json());
        }
        Value::Object(out)
    }

    /// From the notation of `fieldsV1`; what it does not know is left out.
    pub(super) fn from_json(value: &Value) -> Fields {
        let mut out = Fields::default();
        for (step, under) in value.as_object().into_iter().flatten() {
            if step == "." {
                out.is_member = true;
            } else {
                let mut under_it = Fields::from_json(under);
                under_it.is_member |= under.as_object().is_some_and(Map::is_empty);
                out.put(step.clone(), under_it);
            }
        }
        out
    }

    /// Every place in the set, as people read it: `.spec.groups[name="api"].count`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.walk(String::new(), &mut out);
        out
    }

    fn walk(&self, path: String, out: &mut Vec<String>) {
        for (step, under) in &self.under {
            under.walk(format!("{path}{}", readable(step)), out);
        }
        if self.is_member {
            out.push(path);
        }
    }
}

fn readable(step: &str) -> String {
    if let Some(name) = step.strip_prefix("f:") {
        return format!(".{name}");
    }
    let key = step.strip_prefix("k:").and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let parts: Vec<String> =
        key.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", parts.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_notation_is_read_back() {
        let json = json!({
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:groups": {"k:{\"name\":\"api\"}": {".": {}, "f:count": {}, "f:name": {}}}},
        });
        let fields = Fields::from_json(&json);
        assert_eq!(fields.to_json(), json);
        assert_eq!(
            fields.paths(),
            [
                ".metadata.labels.app",
                ".spec.groups[name=\"api\"].count",
                ".spec.groups[name=\"api\"].name",
                ".spec.groups[name=\"api\"]",
            ]
        );
    }

    #[test]
    fn sets_combine_place_by_place() {
        let one = Fields::from_json(&json!({"f:a": {}, "f:b": {".": {}, "f:c": {}}}));
        let other = Fields::from_json(&json!({"f:b": {"f:c": {}}, "f:d": {}}));
        assert_eq!(one.without(&other).to_json(), json!({"f:a": {}, "f:b": {}}));
        assert_eq!(one.and(&other).to_json(), json!({"f:b": {"f:c": {}}}));
        assert_eq!(one.or(&other).paths(), [".a", ".b.c", ".b", ".d"]);
    }
}
