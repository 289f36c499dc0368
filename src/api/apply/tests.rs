//! Tables and laws of apply, over a small document with an object, a map, a keyed list and a plain list.

use jiff::Timestamp;
use proptest::option::of;
use proptest::prelude::*;
use schemas::meta::ManagedFields;
use serde_json::{Map, Value, json};

use super::managers::{Applied, Author, Contested, apply, update};
use super::merge::{difference, fields_of, merge, remove};
use super::structure::{Shape, Structure};

fn definitions() -> Map<String, Value> {
    let item = json!({"properties": {"name": {"type": "string"}, "size": {"type": "integer"}, "on": {"type": "boolean"}}, "type": "object"});
    let root = json!({"type": "object", "properties": {
        "title": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
        "words": {"type": "array", "items": {"type": "string"}},
        "inner": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]},
    }});
    Map::from_iter([
        ("Item".to_owned(), item),
        ("Root".to_owned(), root),
        ("Doc".to_owned(), json!({"$ref": "#/$defs/Root"})),
    ])
}

fn with_shape<T>(test: impl FnOnce(Shape<'_>) -> T) -> T {
    let definitions = definitions();
    let structure = Structure { definitions: &definitions, list_keys: &[("Root", "items", "name")] };
    test(structure.of("Doc"))
}

fn author(manager: &str) -> Author<'_> {
    Author { manager, api_version: "v1", subresource: "", now: Timestamp::UNIX_EPOCH }
}

/// Plays a story: `who: {…}` applies, `who! {…}` applies by force, `who= {…}` writes the whole document.
fn play(story: &str) -> String {
    let mut live = json!({});
    let mut managed: Vec<ManagedFields> = Vec::new();
    let mut told = String::new();
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let at = line.find([':', '!', '=']).expect("who and how");
        let (who, wanted) = (&line[..at], serde_json::from_str::<Value>(&line[at + 1..]).unwrap());
        let how = &line[at..=at];
        if how == "=" {
            managed = with_shape(|shape| update(shape, (&live, &wanted), &managed, &author(who)));
            live = wanted;
        } else {
            let contested = if how == "!" { Contested::Take } else { Contested::Refuse };
            match with_shape(|shape| apply(shape, (&live, &wanted), &managed, &author(who), contested)) {
                Ok(Applied { value, managed: owners }) => (live, managed) = (value, owners),
                Err(conflicts) => {
                    for conflict in conflicts {
                        told += &format!("{who} conflicts with {}: {}\n", conflict.manager, conflict.field);
                    }
                    continue;
                }
            }
        }
        told += &format!("{live}\n");
    }
    for entry in managed {
        told += &format!("{} {}\n", entry.manager, entry.fields_v1);
    }
    told
}

#[test]
fn fields_of_two_managers_live_side_by_side() {
    insta::assert_snapshot!(play(r#"
        a: {"title": "x", "labels": {"k": "1"}}
        b: {"labels": {"m": "2"}}
        a: {"title": "y"}
    "#), @r#"
    {"title":"x","labels":{"k":"1"}}
    {"title":"x","labels":{"k":"1","m":"2"}}
    {"title":"y","labels":{"m":"2"}}
    a {"f:title":{}}
    b {"f:labels":{"f:m":{}}}
    "#);
}

#[test]
fn a_field_of_another_is_taken_by_force_only() {
    insta::assert_snapshot!(play(r#"
        a: {"items": [{"name": "i", "size": 1}]}
        b: {"items": [{"name": "i", "size": 2}]}
        b! {"items": [{"name": "i", "size": 2}]}
        a: {"items": [{"name": "i"}]}
    "#), @r#"
    {"items":[{"name":"i","size":1}]}
    b conflicts with a: .items[name="i"].size
    {"items":[{"name":"i","size":2}]}
    {"items":[{"name":"i","size":2}]}
    a {"f:items":{"k:{\"name\":\"i\"}":{".":{},"f:name":{}}}}
    b {"f:items":{"k:{\"name\":\"i\"}":{".":{},"f:name":{},"f:size":{}}}}
    "#);
}

#[test]
fn the_same_value_is_shared_and_goes_with_its_last_owner() {
    insta::assert_snapshot!(play(r#"
        a: {"title": "x", "words": ["p"]}
        b: {"title": "x"}
        a: {"words": ["p"]}
        b: {"labels": {"l": "1"}}
    "#), @r#"
    {"title":"x","words":["p"]}
    {"title":"x","words":["p"]}
    {"title":"x","words":["p"]}
    {"words":["p"],"labels":{"l":"1"}}
    a {"f:words":{}}
    b {"f:labels":{"f:l":{}}}
    "#);
}

#[test]
fn an_item_goes_when_nobody_owns_anything_in_it() {
    insta::assert_snapshot!(play(r#"
        a: {"items": [{"name": "i", "size": 1}, {"name": "j"}]}
        b: {"items": [{"name": "i", "on": true}]}
        a: {"items": [{"name": "j"}]}
        b: {"title": "t"}
    "#), @r#"
    {"items":[{"name":"i","size":1},{"name":"j"}]}
    {"items":[{"name":"i","size":1,"on":true},{"name":"j"}]}
    {"items":[{"name":"i","on":true},{"name":"j"}]}
    {"items":[{"name":"j"}],"title":"t"}
    a {"f:items":{"k:{\"name\":\"j\"}":{".":{},"f:name":{}}}}
    b {"f:title":{}}
    "#);
}

#[test]
fn a_plain_write_takes_what_it_changes() {
    insta::assert_snapshot!(play(r#"
        a: {"title": "x", "items": [{"name": "i", "size": 1}]}
        hand= {"title": "x", "items": [{"name": "i", "size": 7}]}
        a: {"title": "x", "items": [{"name": "i", "size": 1}]}
        a: {"title": "x", "items": [{"name": "i"}]}
    "#), @r#"
    {"title":"x","items":[{"name":"i","size":1}]}
    {"title":"x","items":[{"name":"i","size":7}]}
    a conflicts with hand: .items[name="i"].size
    {"title":"x","items":[{"name":"i","size":7}]}
    a {"f:items":{"k:{\"name\":\"i\"}":{".":{},"f:name":{}}},"f:title":{}}
    hand {"f:items":{"k:{\"name\":\"i\"}":{"f:size":{}}}}
    "#);
}

fn item(name: &'static str) -> impl Strategy<Value = Value> {
    (of(0..3), of(any::<bool>())).prop_map(move |(size, on)| {
        let mut item = json!({"name": name});
        size.into_iter().for_each(|size| item["size"] = json!(size));
        on.into_iter().for_each(|on| item["on"] = json!(on));
        item
    })
}

fn document() -> impl Strategy<Value = Value> {
    let items = (of(item("i")), of(item("j")), of(item("k")));
    (of("[xy]"), of("[12]"), items, of(proptest::collection::vec("[pq]", 1..3))).prop_map(
        |(title, label, (i, j, k), words)| {
            let mut out = json!({});
            title.into_iter().for_each(|title| out["title"] = json!(title));
            label.into_iter().for_each(|label| out["labels"] = json!({"l": label}));
            let items: Vec<Value> = [i, j, k].into_iter().flatten().collect();
            if !items.is_empty() {
                out["items"] = json!(items);
            }
            words.into_iter().for_each(|words| out["words"] = json!(words));
            out
        },
    )
}

/// The same fields with the same values, whatever their order.
fn same(one: &Value, other: &Value) -> bool {
    with_shape(|shape| difference(shape, one, other).is_empty())
}

proptest! {
    #[test]
    fn what_is_applied_is_there_afterwards(live in document(), wanted in document()) {
        let applied = with_shape(|shape| apply(shape, (&live, &wanted), &[], &author("a"), Contested::Take)).unwrap();
        prop_assert!(same(&with_shape(|shape| merge(shape, &applied.value, &wanted)), &applied.value));
    }

    #[test]
    fn applying_twice_changes_nothing(live in document(), wanted in document()) {
        let first = with_shape(|shape| apply(shape, (&live, &wanted), &[], &author("a"), Contested::Take)).unwrap();
        let later = Author { now: Timestamp::MAX, ..author("a") };
        let again = with_shape(|shape| apply(shape, (&first.value, &wanted), &first.managed, &later, Contested::Refuse));
        let again = again.unwrap();
        prop_assert_eq!(&again.value, &first.value);
        // Only the moment of the first apply over an unowned document may differ.
        prop_assert_eq!(&again.managed[0].fields_v1, &first.managed[0].fields_v1);
    }

    #[test]
    fn one_manager_alone_gets_exactly_what_it_wants(first in document(), second in document()) {
        let one = with_shape(|shape| apply(shape, (&json!({}), &first), &[], &author("a"), Contested::Refuse)).unwrap();
        let two = with_shape(|shape| apply(shape, (&one.value, &second), &one.managed, &author("a"), Contested::Refuse)).unwrap();
        prop_assert!(same(&two.value, &second), "{} is not {}", two.value, second);
    }

    #[test]
    fn without_force_nothing_of_another_changes(theirs in document(), mine in document()) {
        let one = with_shape(|shape| apply(shape, (&json!({}), &theirs), &[], &author("a"), Contested::Refuse)).unwrap();
        if let Ok(two) = with_shape(|shape| apply(shape, (&one.value, &mine), &one.managed, &author("b"), Contested::Refuse)) {
            prop_assert!(same(&with_shape(|shape| merge(shape, &two.value, &theirs)), &two.value));
        }
    }

    #[test]
    fn the_difference_is_nothing_iff_the_values_agree(one in document(), other in document()) {
        prop_assert!(with_shape(|shape| difference(shape, &one, &one)).is_empty());
        let differs = !with_shape(|shape| difference(shape, &one, &other)).is_empty();
        let merged = with_shape(|shape| merge(shape, &one, &other));
        if !differs {
            prop_assert!(same(&merged, &other));
        }
    }

    #[test]
    fn removing_all_fields_leaves_nothing(one in document()) {
        prop_assume!(one != json!({}));
        let all = with_shape(|shape| fields_of(shape, &one));
        prop_assert_eq!(with_shape(|shape| remove(shape, &one, &all)), None);
    }
}
