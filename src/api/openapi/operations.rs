//! The operations: one path per address, with all that it takes and all that it may answer.

use serde_json::{Map, Value, json};

use super::convert::component;
use crate::kind::{GROUP, GROUP_VERSION, Kind, Subresource};

/// The name of the type of every refusal.
pub(super) const STATUS: &str = "Status";
/// The name of the type that `/scale` speaks.
pub(super) const SCALE: &str = "Scale";

/// Which documents a kind's resource is.
pub(super) fn gvk(kind: Kind) -> Value {
    json!({"group": GROUP, "version": "v1", "kind": kind.words().kind})
}

/// Every address of the group.
pub(super) fn paths() -> Map<String, Value> {
    let mut all = Map::new();
    for kind in Kind::ALL {
        let words = kind.words();
        let root = format!("/apis/{GROUP_VERSION}");
        if words.is_namespaced {
            let everywhere = Call { kind, verb: "list", subresource: None, places: &[] };
            all.insert(format!("{root}/{}", words.plural), json!({"get": everywhere.operation()}));
        }
        let root = if words.is_namespaced { format!("{root}/namespaces/{{namespace}}") } else { root };
        let place: &[&str] = if words.is_namespaced { &["namespace"] } else { &[] };
        let places = [place, &["name"]].concat();
        let collection = format!("{root}/{}", words.plural);
        all.insert(
            format!("{collection}/{{name}}"),
            item(kind, &["get", "update", "patch", "delete"], &places),
        );
        for subresource in words.subresources {
            let calls = subresource.verbs.iter().map(|verb| {
                let call = Call { kind, verb, subresource: Some(subresource), places: &places };
                (method(verb).to_owned(), call.operation())
            });
            let path = format!("{collection}/{{name}}/{}", subresource.name);
            all.insert(path, Value::Object(calls.collect()));
        }
        all.insert(collection, item(kind, &["list", "create", "deletecollection"], place));
    }
    all
}

/// Those of the verbs that a kind has, at one address.
fn item(kind: Kind, verbs: &[&str], places: &[&str]) -> Value {
    let verbs = verbs.iter().filter(|verb| kind.words().verbs.contains(verb));
    let calls = verbs.map(|verb| {
        let call = Call { kind, verb, subresource: None, places };
        (method(verb).to_owned(), call.operation())
    });
    Value::Object(calls.collect())
}

fn method(verb: &str) -> &'static str {
    match verb {
        "create" => "post",
        "update" => "put",
        "patch" => "patch",
        "delete" | "deletecollection" => "delete",
        _ => "get",
    }
}

/// One verb at one address.
struct Call<'a> {
    kind: Kind,
    verb: &'a str,
    subresource: Option<&'a Subresource>,
    /// What the address names.
    places: &'a [&'a str],
}

impl Call<'_> {
    fn operation(&self) -> Value {
        let Call { kind, verb, subresource, places } = self;
        let (words, method) = (kind.words(), method(verb));
        let whose =
            if *verb == "list" && words.is_namespaced && places.is_empty() { "OfAllNamespaces" } else { "" };
        let part = subresource.map(|subresource| title(subresource.name)).unwrap_or_default();
        let mut operation = json!({
            "operationId": format!("{verb}{}{part}{whose}", words.kind),
            "tags": [words.plural],
            "parameters": self.parameters(),
            "responses": self.responses(),
            "x-kubernetes-action": if method == "get" { *verb } else { method },
            "x-kubernetes-group-version-kind": gvk(*kind),
        });
        if let Some(content) = self.bodies() {
            operation["requestBody"] =
                json!({"required": *verb != "delete" && *verb != "deletecollection", "content": content});
        }
        operation
    }

    fn part(&self) -> &str {
        self.subresource.map_or("", |subresource| subresource.name)
    }

    /// The type that is answered; a log is text.
    fn answered(&self) -> Value {
        let name = match (self.part(), self.verb) {
            ("log", _) => return json!({"text/plain": {"schema": {"type": "string"}}}),
            ("plan", _) => return json!({"application/json": {"schema": {"type": "object"}}}),
            ("scale", _) => SCALE.to_owned(),
            (_, "list" | "deletecollection") => format!("{}List", self.kind.words().kind),
            (_, _) => self.kind.words().kind.to_owned(),
        };
        json!({"application/json": {"schema": reference(&name)}})
    }

    /// Every status that the operation may have, and what its body is.
    fn responses(&self) -> Value {
        let is_plain = self.part().is_empty();
        let made: &[(u16, &str)] = match self.verb {
            "create" if is_plain => &[(201, "It was made."), (200, "It would be made: a dry run.")],
            "patch" if is_plain && self.kind == Kind::Job => {
                &[(200, "It was changed."), (201, "It was made by an apply.")]
            }
            "update" if is_plain && self.kind == Kind::Job => {
                &[(200, "It was replaced."), (201, "It was made anew: what was there could not be read.")]
            }
            _ => &[(200, "OK")],
        };
        let mut all = Map::new();
        for (code, what) in made {
            all.insert(code.to_string(), json!({"description": what, "content": self.answered()}));
        }
        for (code, what) in REFUSALS.iter().filter(|(code, _)| self.may_refuse(*code)) {
            let mut refusal =
                json!({"description": what, "content": {"application/json": {"schema": reference(STATUS)}}});
            if matches!(code, 429 | 503) {
                refusal["headers"] = json!({"Retry-After": {
                    "description": "After so many seconds it may be tried again.", "schema": {"type": "integer"},
                }});
            }
            all.insert(code.to_string(), refusal);
        }
        Value::Object(all)
    }

    fn may_refuse(&self, code: u16) -> bool {
        let is_write = method(self.verb) != "get";
        match code {
            404 => !self.places.is_empty(),
            // What has no count cannot be asked for it.
            409 | 413 | 415 | 422 | 504 | 507 => is_write || (code == 422 && self.part() == "scale"),
            410 => self.verb == "list",
            502 => self.part() == "log",
            _ => true,
        }
    }

    fn bodies(&self) -> Option<Value> {
        let kind = reference(if self.part() == "scale" { SCALE } else { self.kind.words().kind });
        let object = json!({"type": "object"});
        let json_patch = json!({"type": "array", "items": {
            "type": "object", "required": ["op", "path"],
            "properties": {"op": {"type": "string"}, "path": {"type": "string"}},
        }});
        let all: Vec<(&str, Value)> = match (self.verb, self.part()) {
            ("create", "plan") => vec![
                ("application/json", kind.clone()),
                ("application/yaml", kind.clone()),
                ("application/hcl", json!({"type": "string"})),
                ("application/apply-patch+yaml", kind),
            ],
            ("create", "rollback") => {
                let asked = rollback();
                vec![("application/json", asked.clone()), ("application/yaml", asked)]
            }
            ("update", "scale") => vec![("application/json", kind.clone()), ("application/yaml", kind)],
            ("create" | "update", _) => {
                let text = json!({"type": "string"});
                vec![
                    ("application/json", kind.clone()),
                    ("application/yaml", kind),
                    ("application/hcl", text),
                ]
            }
            ("patch", _) => vec![
                ("application/apply-patch+yaml", object.clone()),
                ("application/json-patch+json", json_patch),
                ("application/merge-patch+json", object),
            ],
            ("delete" | "deletecollection", _) => vec![("application/json", object)],
            _ => return None,
        };
        // Nodes have no field owners.
        let is_taken = |media: &str| self.kind == Kind::Job || !media.starts_with("application/apply-patch");
        let content = all.into_iter().filter(|(media, _)| is_taken(media));
        Some(Value::Object(
            content.map(|(media, schema)| (media.to_owned(), json!({"schema": schema}))).collect(),
        ))
    }

    fn parameters(&self) -> Vec<Value> {
        let place = |name: &&str| {
            json!({
                "name": name, "in": "path", "required": true, "schema": {"type": "string"},
                "description": if *name == "name" { "The name of the document." } else { "Its namespace." },
            })
        };
        let query = |(name, kind, description): &(&str, &str, &str)| json!({"name": name, "in": "query", "description": description, "schema": {"type": kind}});
        let known = QUERIES.iter().filter(|(verbs, _)| verbs.iter().any(|verb| *verb == self.word()));
        self.places.iter().map(place).chain(known.flat_map(|(_, all)| *all).map(query)).collect()
    }

    /// The verb, or the subresource where it decides what may be asked.
    fn word(&self) -> &str {
        match (self.part(), self.verb) {
            ("log" | "plan" | "rollback", _) => self.part(),
            ("scale", "get") => "scale",
            (_, verb) => verb,
        }
    }
}

/// What a rollback asks for.
fn rollback() -> Value {
    json!({"type": "object", "required": ["version"], "properties": {
        "version": {"type": "integer", "minimum": 0, "description": "The version to go back to."},
        "why": {"type": "string", "maxLength": 256, "description": "Why, for the history."},
        "metadata": {"type": "object", "additionalProperties": false, "properties": {
            "resourceVersion": {"type": "string"}, "uid": {"type": "string"},
        }},
    }, "additionalProperties": false})
}

/// A reference to a type.
fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", component(name))})
}

/// `status` as `Status`.
fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Every refusal of the API.
const REFUSALS: &[(u16, &str)] = &[
    (400, "The request cannot be understood."),
    (404, "There is no such document."),
    (409, "It has changed since it was read, exists already, or its fields are others'."),
    (410, "The changes since then are no longer remembered: list again."),
    (413, "The body is too long."),
    (415, "The body is of a type that is not read here."),
    (422, "The document is understood and wrong."),
    (429, "Others are served first."),
    (502, "The node that should answer does not."),
    (503, "Something this server needs does not answer."),
    (504, "The change may or may not have been made."),
    (507, "The store is full."),
];

/// What a query may say: the verbs, and name, type and meaning of each.
type Queries = (&'static [&'static str], &'static [(&'static str, &'static str, &'static str)]);

const QUERIES: &[Queries] = &[
    (
        &["list", "deletecollection"],
        &[
            ("labelSelector", "string", "Only those with these labels."),
            ("fieldSelector", "string", "Only those with these fields."),
        ],
    ),
    (
        &["list"],
        &[
            ("limit", "integer", "At most so many of them; 0 is all."),
            ("continue", "string", "Where the last page ended."),
            ("watch", "boolean", "Send changes instead of a list."),
            ("resourceVersion", "string", "A watch sends what changed after this revision."),
            ("allowWatchBookmarks", "boolean", "A watch also says how far it has seen."),
            ("sendInitialEvents", "boolean", "A watch begins with everything there is."),
            ("timeoutSeconds", "integer", "A watch ends after so many seconds."),
        ],
    ),
    (
        &["create", "update", "patch", "plan", "rollback"],
        &[("fieldManager", "string", "Who owns the fields that are set.")],
    ),
    (
        &["create", "update", "patch", "plan"],
        &[("fieldValidation", "string", "Strict (the default), Warn or Ignore fields that are not known.")],
    ),
    (
        &["create", "update", "patch", "rollback", "delete", "deletecollection"],
        &[("dryRun", "string", "All: change nothing.")],
    ),
    (&["patch", "plan"], &[("force", "boolean", "Take fields from their owners.")]),
    (
        &["delete", "deletecollection"],
        &[("propagationPolicy", "string", "Whatever it says, what belongs to it goes.")],
    ),
    (
        &["log"],
        &[
            ("task", "string", "Whose log it is; needed where there are several."),
            ("type", "string", "stdout or stderr."),
            ("follow", "boolean", "Go on with what is written."),
            ("tailLines", "integer", "Only the last lines."),
        ],
    ),
    (&["scale"], &[("group", "string", "Which group; needed where there are several.")]),
];
