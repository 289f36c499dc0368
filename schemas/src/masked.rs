//! Words of a job that nobody may read back: passwords for registries, credentials in headers.
//!
//! Whoever reads a job sees [`MASK`] in their place; a mask that is sent back keeps what was there. Only fields whose
//! type says that they are secret are masked: what somebody writes into `env` or `args` is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What stands for a secret.
pub const MASK: &str = "<masked>";
/// What stands for a secret that a dry run would change.
pub const CHANGED: &str = "<masked, changed>";

/// Header fields that carry credentials (RFC 9110 11.6.2 and 11.7.2, RFC 6265 4.2).
const HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
/// A secret that is shorter cannot be told from other words of a text.
const LEAST_BYTES: usize = 4;

/// A mask for which there is nothing to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NothingToKeep {
    /// Where, as a JSON pointer into the spec.
    pub pointer: String,
    /// What to do, for people.
    pub message: String,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// By the names of groups, tasks, services and checks.
    named: String,
    /// By their positions.
    pointer: String,
}

impl Place {
    fn field(&self, field: &str) -> Place {
        let Place { named, pointer } = self;
        Place { named: format!("{named}/{field}"), pointer: format!("{pointer}/{field}") }
    }

    fn item(&self, at: usize, item: &Value) -> Place {
        let Place { named, pointer } = self;
        let name = item["name"].as_str().map_or_else(|| format!("#{at}"), str::to_owned);
        Place { named: format!("{named}/{name}"), pointer: format!("{pointer}/{at}") }
    }
}

type Visit<'v> = dyn FnMut(&Place, &mut String) + 'v;

/// Shows every secret of a spec to `visit`.
fn each_secret(spec: &mut Value, visit: &mut Visit<'_>) {
    let root = Place { named: String::new(), pointer: String::new() };
    each(&root, spec, "groups", &mut |place, group| {
        services(place, group, visit);
        each(place, group, "tasks", &mut |place, task| {
            services(place, task, visit);
            each(place, task, "artifacts", &mut |place, artifact| headers(place, artifact, visit));
            password(place, task, visit);
        });
    });
}

fn each(place: &Place, of: &mut Value, field: &str, look: &mut dyn FnMut(&Place, &mut Value)) {
    let place = place.field(field);
    let items = of.get_mut(field).and_then(Value::as_array_mut);
    for (at, item) in items.into_iter().flatten().enumerate() {
        look(&place.item(at, item), item);
    }
}

fn services(place: &Place, of: &mut Value, visit: &mut Visit<'_>) {
    each(place, of, "services", &mut |place, service| {
        each(place, service, "checks", &mut |place, check| headers(place, check, visit));
    });
}

fn headers(place: &Place, of: &mut Value, visit: &mut Visit<'_>) {
    let place = place.field("headers");
    for (name, value) in of.get_mut("headers").and_then(Value::as_object_mut).into_iter().flatten() {
        if HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            texts(&place.field(name), value, visit);
        }
    }
}

/// `auth { password = "…" }` of a docker task, also as the list with one map that a block is in job files.
fn password(place: &Place, task: &mut Value, visit: &mut Visit<'_>) {
    let place = place.field("config").field("auth").field("password");
    let Some(auth) = task.get_mut("config").and_then(|config| config.get_mut("auth")) else { return };
    let blocks = if let Value::Array(blocks) = auth { blocks } else { std::slice::from_mut(auth) };
    for password in blocks.iter_mut().filter_map(|block| block.get_mut("password")) {
        texts(&place, password, visit);
    }
}

/// One text, or a list of them.
fn texts(place: &Place, value: &mut Value, visit: &mut Visit<'_>) {
    match value {
        Value::String(text) => visit(place, text),
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                texts(&place.field(&at.to_string()), item, visit);
            }
        }
        // A password of digits alone, as YAML reads it.
        Value::Number(number) => {
            let mut text = number.to_string();
            visit(place, &mut text);
            if text != number.to_string() {
                *value = Value::String(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => {}
    }
}

/// Every secret of a spec.
fn found(spec: &Value) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    each_secret(&mut spec.clone(), &mut |place, text| found.push((place.clone(), text.clone())));
    found
}

/// The secrets of a spec.
pub fn secrets(spec: &Value) -> Vec<String> {
    found(spec).into_iter().map(|(_, text)| text).collect()
}

/// Masks every secret.
pub fn mask(spec: &mut Value) {
    each_secret(spec, &mut |_, text| MASK.clone_into(text));
}

/// Masks every secret, and tells those apart that another spec does not have.
pub fn mask_against(spec: &mut Value, old: &Value) {
    let known: BTreeMap<String, String> =
        found(old).into_iter().map(|(place, text)| (place.named, text)).collect();
    each_secret(spec, &mut |place, text| {
        let is_same = known.get(&place.named) == Some(text);
        if is_same { MASK } else { CHANGED }.clone_into(text);
    });
}

/// Puts back what masks stand for: the secret at the same names, else the one at the same position if its names are
/// gone. A mask for which there is none is left and told.
pub fn restore(spec: &mut Value, old: Option<&Value>) -> Vec<NothingToKeep> {
    let given = found(spec);
    if !given.iter().any(|(_, text)| is_mask(text)) {
        return Vec::new();
    }
    let names: BTreeSet<&String> = given.iter().map(|(place, _)| &place.named).collect();
    let known = old.map(found).unwrap_or_default();
    let by_name: BTreeMap<&String, &String> =
        known.iter().map(|(place, text)| (&place.named, text)).collect();
    let renamed = known.iter().filter(|(place, _)| !names.contains(&place.named));
    let by_position: BTreeMap<&String, &String> =
        renamed.map(|(place, text)| (&place.pointer, text)).collect();
    let mut lost = Vec::new();
    each_secret(spec, &mut |place, text| {
        if !is_mask(text) {
            return;
        }
        match by_name.get(&place.named).or_else(|| by_position.get(&place.pointer)) {
            Some(kept) if text == MASK => (*kept).clone_into(text),
            Some(_) => lost.push(NothingToKeep {
                pointer: place.pointer.clone(),
                message: format!(
                    "{text:?} is what a dry run shows: send the secret itself, or {MASK:?} to keep it"
                ),
            }),
            None => lost.push(NothingToKeep {
                pointer: place.pointer.clone(),
                message: format!(
                    "{text:?} keeps a secret that was there before, and there is none: send the secret itself"
                ),
            }),
        }
    });
    lost
}

fn is_mask(text: &str) -> bool {
    text == MASK || text == CHANGED
}

/// A text without the secrets that were read from it. If one cannot be found in it, none of the text is left.
pub fn mask_text(text: &str, secrets: &[String]) -> String {
    let mut masked = text.to_owned();
    let mut longest_first: Vec<&String> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in longest_first {
        let quoted = Value::from(secret.as_str()).to_string();
        let spellings = [secret.as_str(), quoted.trim_matches('"')];
        let is_found = secret.len() >= LEAST_BYTES && spellings.iter().any(|word| text.contains(word));
        // A text that was sent with masks never had it.
        if !is_found && !text.contains(MASK) {
            return MASK.to_owned();
        }
        if is_found {
            masked = spellings.iter().fold(masked, |masked, word| masked.replace(word, MASK));
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(name: &str, password: &str) -> Value {
        json!({"name": name, "driver": "docker", "config": {"image": "r/a", "auth": {"username": "u", "password": password}}})
    }

    fn spec(tasks: &[Value]) -> Value {
        let check =
            json!({"type": "http", "headers": {"Authorization": ["Bearer t0ken"], "Accept": ["*/*"]}});
        json!({"groups": [{"name": "api", "tasks": tasks, "services": [{"name": "web", "checks": [check]}]}]})
    }

    #[test]
    fn secrets_are_masked_and_nothing_else_is() {
        let mut shown =
            spec(&[task("a", "s3cret"), json!({"name": "b", "config": {"auth": [{"password": "other"}]}})]);
        mask(&mut shown);
        let text = shown.to_string();
        for secret in ["s3cret", "other", "t0ken"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(text.matches(MASK).count(), 3);
        assert!(text.contains(r#""username":"u""#) && text.contains(r#""Accept":["*/*"]"#));
        let mut digits = spec(&[json!({"name": "a", "config": {"auth": {"password": 1234}}})]);
        mask(&mut digits);
        assert_eq!(digits["groups"][0]["tasks"][0]["config"]["auth"]["password"], MASK);
    }

    #[test]
    fn a_mask_that_is_sent_back_keeps_what_was_there() {
        let old = spec(&[task("a", "one"), task("b", "two")]);
        let mut same = old.clone();
        mask(&mut same);
        assert_eq!((restore(&mut same, Some(&old)), &same), (vec![], &old));
        let mut swapped = spec(&[task("b", MASK), task("a", MASK)]);
        assert_eq!(restore(&mut swapped, Some(&old)), []);
        assert_eq!(swapped, spec(&[task("b", "two"), task("a", "one")]), "by name, wherever it stands");
        let mut renamed = spec(&[task("a", MASK), task("c", MASK)]);
        assert_eq!(restore(&mut renamed, Some(&old)), []);
        assert_eq!(renamed, spec(&[task("a", "one"), task("c", "two")]));
        let mut given = spec(&[task("a", "three"), task("b", MASK)]);
        assert_eq!(restore(&mut given, Some(&old)), []);
        assert_eq!(given, spec(&[task("a", "three"), task("b", "two")]));
    }

    #[test]
    fn a_mask_without_anything_to_keep_is_told() {
        let pointers = |spec: &mut Value, old: Option<&Value>| -> Vec<String> {
            restore(spec, old).into_iter().map(|lost| lost.pointer).collect()
        };
        let at = |task: usize| format!("/groups/0/tasks/{task}/config/auth/password");
        let header = "/groups/0/services/0/checks/0/headers/Authorization/0".to_owned();
        let old = spec(&[task("a", "one")]);
        let mut new = spec(&[task("a", MASK)]);
        assert_eq!(pointers(&mut new, None), [at(0)]);
        let mut more = spec(&[task("a", MASK), task("b", MASK)]);
        mask(&mut more);
        assert_eq!(pointers(&mut more, Some(&old)), [at(1)]);
        let mut masked = old.clone();
        mask(&mut masked);
        assert_eq!(pointers(&mut masked, None), [header, at(0)]);
        let mut dry = spec(&[task("a", CHANGED)]);
        assert_eq!(pointers(&mut dry, Some(&old)), [at(0)]);
    }

    #[test]
    fn a_change_is_told_without_the_secret() {
        let old = spec(&[task("a", "one"), task("b", "two")]);
        let mut new = spec(&[task("a", "one"), task("b", "three")]);
        mask_against(&mut new, &old);
        assert_eq!(new["groups"][0]["tasks"][0]["config"]["auth"]["password"], MASK);
        assert_eq!(new["groups"][0]["tasks"][1]["config"]["auth"]["password"], CHANGED);
    }

    #[test]
    fn a_text_is_shown_without_its_secrets_or_not_at_all() {
        let secret = |text: &str| vec![text.to_owned()];
        let rows = [
            ("password = \"s3cret\"", secret("s3cret"), "password = \"<masked>\""),
            (r#"password = "a\"bc""#, secret("a\"bc"), r#"password = "<masked>""#),
            ("password = base64decode(\"czNjcmV0\")", secret("s3cret"), MASK),
            ("password = \"abc\"", secret("abc"), MASK),
            ("password = \"<masked>\"", secret("s3cret"), "password = \"<masked>\""),
            ("no secrets", vec![], "no secrets"),
        ];
        for (text, secrets, expected) in rows {
            assert_eq!(mask_text(text, &secrets), expected, "{text}");
        }
    }
}
