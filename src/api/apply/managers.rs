//! Managers and what they own, before and after a write.

use jiff::Timestamp;
use schemas::meta::ManagedFields;
use serde_json::Value;

use super::fields::Fields;
use super::merge::{difference, fields_of, merge, remove};
use super::structure::Shape;

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";
const NOTATION: &str = "FieldsV1";

/// Who writes, when, and through what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'a> {
    /// A tool or a controller.
    pub manager: &'a str,
    /// The API version the fields are named in.
    pub api_version: &'a str,
    /// The subresource, if the write comes through one.
    pub subresource: &'a str,
    /// When.
    pub now: Timestamp,
}

/// A field that another manager owns and that an apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Who owns it.
    pub manager: String,
    /// Which, `.spec.groups[name="api"].count`.
    pub field: String,
}

/// What is done about fields that an apply wants to change and another manager owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contested {
    /// Nothing is changed at all.
    Refuse,
    /// They are taken from their owners.
    Take,
}

/// What an apply makes of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Applied {
    /// The document.
    pub value: Value,
    /// Who owns what of it.
    pub managed: Vec<ManagedFields>,
}

/// One manager's entry, read.
struct Entry {
    meta: ManagedFields,
    fields: Fields,
}

fn entries(managed: &[ManagedFields]) -> Vec<Entry> {
    let read =
        |meta: &ManagedFields| Entry { fields: Fields::from_json(&meta.fields_v1), meta: meta.clone() };
    managed.iter().filter(|meta| !meta.manager.is_empty()).map(read).collect()
}

impl Entry {
    fn is_of(&self, author: &Author<'_>, operation: &str) -> bool {
        self.meta.manager == author.manager
            && self.meta.operation == operation
            && self.meta.subresource == author.subresource
    }

    fn new(author: &Author<'_>, operation: &str, fields: Fields) -> Entry {
        let meta = ManagedFields {
            manager: author.manager.to_owned(),
            operation: operation.to_owned(),
            api_version: author.api_version.to_owned(),
            time: Some(author.now),
            fields_type: NOTATION.to_owned(),
            fields_v1: Value::Null,
            subresource: author.subresource.to_owned(),
        };
        Entry { meta, fields }
    }

    fn write(self) -> ManagedFields {
        ManagedFields { fields_v1: self.fields.to_json(), ..self.meta }
    }
}

/// Lays a manager's wish over what is live.
pub(crate) fn apply(
    shape: Shape<'_>,
    (live, wanted): (&Value, &Value),
    managed: &[ManagedFields],
    author: &Author<'_>,
    contested: Contested,
) -> Result<Applied, Vec<Conflict>> {
    let mut entries = entries(managed);
    let own = entries.iter().position(|entry| entry.is_of(author, APPLY)).map(|at| entries.remove(at));
    let owned = fields_of(shape, wanted);
    let merged = merge(shape, live, wanted);
    let taken = difference(shape, live, &merged).and(&owned);
    let mut conflicts = Vec::new();
    for entry in &mut entries {
        let both = entry.fields.and(&taken);
        let manager = &entry.meta.manager;
        conflicts.extend(both.paths().into_iter().map(|field| Conflict { manager: manager.clone(), field }));
        entry.fields = entry.fields.without(&both);
    }
    if !conflicts.is_empty() && contested == Contested::Refuse {
        return Err(conflicts);
    }
    let others = entries.iter().fold(Fields::default(), |all, entry| all.or(&entry.fields));
    let dropped = own.as_ref().map(|own| own.fields.without(&owned).without(&others)).unwrap_or_default();
    let dropped = unless_used(dropped, &others);
    let value = remove(shape, &merged, &dropped).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let mut entry = Entry::new(author, APPLY, owned);
    if let Some(own) = own
        && own.fields == entry.fields
        && value == *live
    {
        // Nothing new: the entry keeps its time, so that applying again writes nothing.
        entry.meta.time = own.meta.time;
    }
    entries.retain(|entry| !entry.fields.is_empty());
    entries.push(entry);
    Ok(Applied { value, managed: sorted(entries) })
}

/// An item goes only if nobody else owns anything in it.
fn unless_used(dropped: Fields, others: &Fields) -> Fields {
    let mut out = Fields { is_member: dropped.is_member && others.is_empty(), ..Fields::default() };
    for (step, under) in dropped.under {
        let inner = match others.under.get(&step) {
            Some(others) => unless_used(under, others),
            None => under,
        };
        out.put(step, inner);
    }
    out
}

/// Who owns what after a write that is no apply: the author owns what it changed, nobody else does.
pub(crate) fn update(
    shape: Shape<'_>,
    (before, after): (&Value, &Value),
    managed: &[ManagedFields],
    author: &Author<'_>,
) -> Vec<ManagedFields> {
    let changed = difference(shape, before, after);
    let mut entries = entries(managed);
    if changed.is_empty() {
        return sorted(entries);
    }
    for entry in &mut entries {
        entry.fields = entry.fields.without(&changed);
    }
    let set = changed.and(&fields_of(shape, after));
    if !set.is_empty() {
        let own = entries.iter().position(|entry| entry.is_of(author, UPDATE)).map(|at| entries.remove(at));
        let kept = own.map(|own| own.fields).unwrap_or_default();
        entries.push(Entry::new(author, UPDATE, kept.or(&set)));
    }
    entries.retain(|entry| !entry.fields.is_empty());
    sorted(entries)
}

/// Applies first, then by name: the same owners are written the same way.
fn sorted(entries: Vec<Entry>) -> Vec<ManagedFields> {
    let mut managed: Vec<ManagedFields> = entries.into_iter().map(Entry::write).collect();
    managed.sort_by(|one, other| {
        let key = |entry: &ManagedFields| {
            (entry.operation.clone(), entry.manager.clone(), entry.subresource.clone())
        };
        key(one).cmp(&key(other))
    });
    managed
}
