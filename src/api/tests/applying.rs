//! Server-side apply: what is wanted twice, and what is not known.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{WEB, World, job};

async fn apply(world: &World, document: &Value) -> (StatusCode, Value) {
    let path = format!("{WEB}?fieldManager=a&force=true");
    world.send("PATCH", &path, "application/apply-patch+yaml", document.to_string()).await
}

/// The fields that a refusal names.
fn fields(refused: &Value) -> Vec<&str> {
    let causes = refused["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    causes.iter().filter_map(|cause| cause["field"].as_str()).collect()
}

/// A list with two of the same is not taken for no list, whatever was applied before.
#[tokio::test]
async fn what_is_wanted_twice_is_named() {
    let world = World::new().await;
    let mut sound = job("web");
    sound["spec"]["groups"][0]["networks"] = json!([{"ports": [{"label": "http"}]}]);
    assert_eq!(apply(&world, &sound).await.0, StatusCode::CREATED);
    let table = [
        ("/spec/groups", "spec.groups[1].name"),
        ("/spec/groups/0/tasks", "spec.groups[0].tasks[1].name"),
        ("/spec/groups/0/networks/0/ports", "spec.groups[0].networks[0].ports[1].label"),
    ];
    for (list, field) in table {
        let mut twice = sound.clone();
        let items = twice.pointer_mut(list).and_then(Value::as_array_mut).unwrap();
        items.push(items[0].clone());
        let (status, refused) = apply(&world, &twice).await;
        assert_eq!((status.as_u16(), fields(&refused)), (422, vec![field]), "{refused}");
        assert_eq!(refused["details"]["causes"][0]["reason"], "FieldValueDuplicate");
    }
    let mut unnamed = sound.clone();
    unnamed["spec"]["groups"].as_array_mut().unwrap().push(json!({"count": 1}));
    let (status, refused) = apply(&world, &unnamed).await;
    assert_eq!((status.as_u16(), fields(&refused)), (422, vec!["spec.groups[1].name"]), "{refused}");
    assert_eq!(world.get(WEB).await["metadata"]["generation"], 1, "nothing was changed");
}

/// Whoever writes, and however, hears of a field that is not known; `validate` says the same of a file.
#[tokio::test]
async fn what_is_not_known_is_refused_unless_asked_otherwise() {
    let world = World::new().await;
    let mut given = job("web");
    given["metadata"]["lables"] = json!({"a": "b"});
    let (status, refused) = apply(&world, &given).await;
    let message = refused["message"].as_str().unwrap();
    assert_eq!(status.as_u16(), 400);
    assert_eq!(message, r#"strict decoding error: unknown field "metadata.lables", did you mean "labels"?"#);
    for (how, expected) in [("", 400), ("Strict", 400), ("Warn", 201), ("Ignore", 200)] {
        let mut given = job("web");
        given["spec"]["prio"] = json!(7);
        let path = format!("{WEB}?fieldManager=a&fieldValidation={how}");
        let media = "application/apply-patch+yaml";
        let (status, answer) = world.send("PATCH", &path, media, given.to_string()).await;
        assert_eq!(status.as_u16(), expected, "{how}: {answer}");
    }
}

/// Bodies are read by the reader that `validate` has.
#[tokio::test]
async fn a_body_is_read_as_a_file_is() {
    let world = World::new().await;
    let twice = r#"{"apiVersion": "encamp.dev/v1", "apiVersion": "encamp.dev/v1"}"#;
    for (media, body) in
        [("application/json", twice), ("application/yaml", twice), ("application/yaml", "a: 1\n---\nb: 2\n")]
    {
        let (status, refused) = world.send("PUT", WEB, media, body.to_owned()).await;
        assert_eq!(status.as_u16(), 400, "{refused}");
    }
    for text in ["a: 1 # \u{c}\n", "a: \u{c}1\n", "a: \"\u{c}\"\n", "a:\u{c} 1\n", "\u{c}a: 1\n"] {
        let source = schemas::text::Source::new("job.yaml", text);
        let file = schemas::text::value(&source, schemas::text::Plain::Yaml).is_ok();
        let (_, refused) = world.send("PUT", WEB, "application/yaml", text.to_owned()).await;
        let is_read = !refused["message"].as_str().unwrap().contains("is not YAML");
        assert_eq!(is_read, file, "{text:?}: {refused}");
    }
}
