//! What changed, field by field, in the shape people know from `plan`: job, groups, tasks, objects, fields.
//!
//! Both jobs are compared in canonical form as JSON: an object is compared field by field, a list of named things
//! by name, any other list of objects by position. Fields are named as in the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::effect::{Effect, replaces};
use crate::job::JobSpec;

/// How a thing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Change {
    /// It is the same.
    #[default]
    None,
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It has other content.
    Edited,
}

/// What changed in a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDiff {
    /// How the job changed.
    #[serde(rename = "type")]
    pub change: Change,
    /// Changed fields of the job itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    /// Changed blocks of the job itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectDiff>,
    /// Every group, the unchanged ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupDiff>,
}

/// What changed in a group, and what that does to its instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDiff {
    /// How the group changed.
    #[serde(rename = "type")]
    pub change: Change,
    /// The group.
    pub name: String,
    /// What happens to its instances.
    pub effect: Effect,
    /// Changed fields of the group itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    /// Changed blocks of the group itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectDiff>,
    /// Changed tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<ObjectDiff>,
}

/// What changed in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// How the block changed.
    #[serde(rename = "type")]
    pub change: Change,
    /// Its field, with its own name if it has one: `update`, `services "web"`.
    pub name: String,
    /// Its changed fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    /// Changed blocks in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectDiff>,
}

/// A changed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// How the value changed.
    #[serde(rename = "type")]
    pub change: Change,
    /// The field; `config[image]` inside maps.
    pub name: String,
    /// The value before; empty if there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub old: String,
    /// The value after; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub new: String,
}

impl JobDiff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.change == Change::None
    }
}

/// What changes from `old` to `new`; without an old job everything is new.
pub fn diff(name: &str, old: Option<&JobSpec>, new: &JobSpec) -> JobDiff {
    let old = old.map(|spec| spec.clone().canonicalize(name));
    let new = new.clone().canonicalize(name);
    let (before, after) = (old.as_ref().map(as_map).unwrap_or_default(), as_map(&new));
    let Parts { fields, objects } = compare(&before, &after, &["groups"]);
    let groups = group_diffs(old.as_ref(), &new);
    let is_same =
        fields.is_empty() && objects.is_empty() && groups.iter().all(|group| group.change == Change::None);
    let change = match (&old, is_same) {
        (None, _) => Change::Added,
        (Some(_), true) => Change::None,
        (Some(_), false) => Change::Edited,
    };
    JobDiff { change, fields, objects, groups }
}

fn as_map<T: Serialize>(document: &T) -> Map<String, Value> {
    match serde_json::to_value(document).expect("a job is an object with string keys") {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// New groups in their order, then those that are gone.
fn group_diffs(old: Option<&JobSpec>, new: &JobSpec) -> Vec<GroupDiff> {
    let before = |name: &str| old.and_then(|job| job.group(name).map(|group| (job, group)));
    let mut diffs = Vec::new();
    for group in &new.groups {
        let (change, effect, map) = match before(&group.name) {
            None => (Change::Added, Effect::Create, Map::new()),
            Some((old_job, old_group)) => {
                (Change::Edited, replaces(old_job, old_group, new, group), as_map(old_group))
            }
        };
        diffs.push(group_diff(change, &group.name, effect, &map, &as_map(group)));
    }
    for group in old.into_iter().flat_map(|job| &job.groups) {
        if new.group(&group.name).is_none() {
            diffs.push(group_diff(
                Change::Deleted,
                &group.name,
                Effect::Destroy,
                &as_map(group),
                &Map::new(),
            ));
        }
    }
    diffs
}

fn group_diff(
    change: Change,
    name: &str,
    effect: Effect,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> GroupDiff {
    let Parts { fields, objects } = compare(old, new, &["tasks", "name"]);
    let tasks = list_diffs("tasks", items(old, "tasks"), items(new, "tasks"));
    let is_same = fields.is_empty() && objects.is_empty() && tasks.is_empty();
    let change = if change == Change::Edited && is_same { Change::None } else { change };
    GroupDiff { change, name: name.to_owned(), effect, fields, objects, tasks }
}

fn items<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The differences between two objects.
#[derive(Default)]
struct Parts {
    fields: Vec<FieldDiff>,
    objects: Vec<ObjectDiff>,
}

/// Compares two objects key by key, except for the keys `without`.
fn compare(old: &Map<String, Value>, new: &Map<String, Value>, without: &[&str]) -> Parts {
    let mut parts = Parts::default();
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    for key in new.keys().chain(gone).filter(|key| !without.contains(&key.as_str())) {
        compare_value(&mut parts, key, old.get(key), new.get(key));
    }
    parts.fields.sort_by(|a, b| a.name.cmp(&b.name));
    parts.objects.sort_by(|a, b| a.name.cmp(&b.name));
    parts
}

fn compare_value(parts: &mut Parts, key: &str, old: Option<&Value>, new: Option<&Value>) {
    if old == new {
        return;
    }
    let is_list = |value: Option<&Value>| {
        value.is_some_and(|value| value.as_array().is_some_and(|list| list.iter().any(Value::is_object)))
    };
    let is_object = |value: Option<&Value>| value.is_some_and(Value::is_object);
    if is_list(old) || is_list(new) {
        let before = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let after = new.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        parts.objects.extend(list_diffs(key, before, after));
    } else if is_object(old) || is_object(new) {
        let empty = Map::new();
        let before = old.and_then(Value::as_object);
        let after = new.and_then(Value::as_object);
        let inner = compare(before.unwrap_or(&empty), after.unwrap_or(&empty), &[]);
        parts.objects.push(object(change_of(before.is_some(), after.is_some()), key.to_owned(), inner));
    } else {
        let change = change_of(old.is_some(), new.is_some());
        parts.fields.push(FieldDiff { change, name: key.to_owned(), old: print(old), new: print(new) });
    }
}

fn object(change: Change, name: String, Parts { fields, objects }: Parts) -> ObjectDiff {
    ObjectDiff { change, name, fields, objects }
}

fn change_of(was: bool, is: bool) -> Change {
    match (was, is) {
        (false, false) => Change::None,
        (false, true) => Change::Added,
        (true, false) => Change::Deleted,
        (true, true) => Change::Edited,
    }
}

/// Items are matched by what names them; those without a name by being equal, then by their order.
fn list_diffs(key: &str, old: &[Value], new: &[Value]) -> Vec<ObjectDiff> {
    let mut left: Vec<&Value> = old.iter().collect();
    let mut pairs: Vec<(Option<&Value>, Option<&Value>)> = Vec::new();
    for item in new {
        let is_match = |other: &&Value| match name_of(key, item) {
            Some(name) => name_of(key, other) == Some(name),
            None => *other == item,
        };
        let predecessor = left.iter().position(is_match).map(|index| left.remove(index));
        pairs.push((predecessor, Some(item)));
    }
    let mut nameless =
        left.iter().filter(|item| name_of(key, item).is_none()).copied().collect::<Vec<_>>().into_iter();
    for (old, new) in &mut pairs {
        if old.is_none() && new.is_some_and(|item| name_of(key, item).is_none()) {
            *old = nameless.next();
        }
    }
    let named = left.into_iter().filter(|item| name_of(key, item).is_some());
    let gone = nameless.chain(named).map(|item| (Some(item), None));
    pairs.into_iter().chain(gone).filter_map(|(old, new)| item_diff(key, old, new)).collect()
}

fn item_diff(key: &str, old: Option<&Value>, new: Option<&Value>) -> Option<ObjectDiff> {
    if old == new {
        return None;
    }
    let empty = Map::new();
    let map = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let (before, after) = (map(old), map(new));
    let parts = compare(before.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty), &[]);
    let name = match new.or(old).and_then(|item| name_of(key, item)) {
        Some(own) => format!("{key} \"{own}\""),
        None => key.to_owned(),
    };
    Some(object(change_of(old.is_some(), new.is_some()), name, parts))
}

/// What tells one item of the list `key` from the others.
fn name_of<'a>(key: &str, item: &'a Value) -> Option<&'a str> {
    let field = match key {
        "ports" | "links" => "label",
        "templates" | "volumeMounts" => "destination",
        "artifacts" => "source",
        "targets" => "value",
        _ => "name",
    };
    item.get(field)?.as_str()
}

fn print(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            value.to_string()
        }
    }
}
