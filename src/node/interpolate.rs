//! `${…}` in a task's configuration and environment, resolved on the node.
//!
//! One pass: what a value brings in is never looked at again, so no value can reach for another. What is not known
//! stays as it was written.

use std::collections::BTreeMap;

use serde_json::Value;

/// What references may name.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// `${NAME}` and `${env["NAME"]}`.
    pub env: &'a BTreeMap<String, String>,
    /// `${node.datacenter}`: the key is what follows `node.`.
    pub node: &'a BTreeMap<String, String>,
    /// `${attr.kernel.name}`: the key is what follows `attr.`.
    pub attributes: &'a BTreeMap<String, String>,
    /// `${meta.rack}`: the key is what follows `meta.`.
    pub meta: &'a BTreeMap<String, String>,
}

impl Scope<'_> {
    /// The text with all known references replaced.
    pub fn text(&self, text: &str) -> String {
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            done.push_str(before);
            let Some((reference, behind)) = after.split_once('}') else {
                done.push_str("${");
                rest = after;
                continue;
            };
            match self.find(reference.trim()) {
                Some(value) => done.push_str(value),
                None => done.extend(["${", reference, "}"]),
            }
            rest = behind;
        }
        done.push_str(rest);
        done
    }

    /// All texts in a value, at any depth; keys stay.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.value(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn find(&self, reference: &str) -> Option<&str> {
        let quoted = reference.strip_prefix("env[").and_then(|rest| rest.strip_suffix(']'));
        let found = if let Some(name) = quoted {
            self.env.get(name.trim().trim_matches('"'))
        } else if let Some(name) = reference.strip_prefix("env.") {
            self.env.get(name)
        } else if let Some(key) = reference.strip_prefix("node.") {
            self.node.get(key)
        } else if let Some(key) = reference.strip_prefix("attr.") {
            self.attributes.get(key)
        } else if let Some(key) = reference.strip_prefix("meta.") {
            self.meta.get(key)
        } else {
            self.env.get(reference)
        };
        found.map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn resolved(text: &str) -> String {
        let env = map(&[("NOMAD_PORT_http", "8080"), ("HOME", "/root"), ("TRAP", "${HOME}")]);
        let (node, meta) = (map(&[("datacenter", "dc1"), ("unique.name", "n1")]), map(&[("rack", "r7")]));
        let attributes = map(&[("kernel.name", "linux")]);
        Scope { env: &env, node: &node, attributes: &attributes, meta: &meta }.text(text)
    }

    #[test]
    fn references_are_replaced_once() {
        let table = [
            ("-port=${NOMAD_PORT_http}", "-port=8080"),
            ("${env[\"HOME\"]}/x ${env.HOME}", "/root/x /root"),
            ("${node.unique.name}.${node.datacenter}", "n1.dc1"),
            ("${attr.kernel.name} ${meta.rack}", "linux r7"),
            ("${TRAP}", "${HOME}"),
            ("${unknown} ${meta.none} ${", "${unknown} ${meta.none} ${"),
            ("$HOME {HOME} $$", "$HOME {HOME} $$"),
            ("${ HOME }", "/root"),
            ("ä${HOME}ö", "ä/rootö"),
        ];
        for (text, expected) in table {
            assert_eq!(resolved(text), expected, "{text}");
        }
    }

    #[test]
    fn values_are_walked_and_keys_stay() {
        let env = map(&[("A", "1")]);
        let none = BTreeMap::new();
        let scope = Scope { env: &env, node: &none, attributes: &none, meta: &none };
        let mut value = serde_json::json!({"${A}": ["${A}", {"deep": "x${A}"}, 5, null]});
        scope.value(&mut value);
        assert_eq!(value, serde_json::json!({"${A}": ["1", {"deep": "x1"}, 5, null]}));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics_and_plain_text_stays(text in "[^$]*") {
            assert_eq!(resolved(&text), text);
        }

        #[test]
        fn any_text_is_survived(text in ".*") {
            resolved(&text);
        }
    }
}
