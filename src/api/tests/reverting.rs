//! Going back: who owns what afterwards, and what is refused.

use serde_json::{Value, json};

use super::world::{JOBS, WEB, World, job};

/// Applies a job as the manager `ann`, with this environment.
async fn apply(world: &World, env: &Value) -> Value {
    let mut wanted = job("web");
    wanted["spec"]["groups"][0]["tasks"][0]["env"] = env.clone();
    let path = format!("{WEB}?fieldManager=ann");
    world.send("PATCH", &path, "application/apply-patch+yaml", wanted.to_string()).await.1
}

fn env(job: &Value) -> &Value {
    &job["spec"]["groups"][0]["tasks"][0]["env"]
}

#[tokio::test]
async fn who_applied_a_version_owns_its_fields_again_after_going_back() {
    let world = World::new().await;
    apply(&world, &json!({"OLD": "1", "BOTH": "1"})).await;
    apply(&world, &json!({"NEW": "1", "BOTH": "2"})).await;
    let rollback = format!("{WEB}/rollback?fieldManager=tom");
    let (status, back) = world.json("POST", &rollback, &json!({"version": 1, "why": "it was better"})).await;
    assert_eq!(status.as_u16(), 200, "{back}");
    assert_eq!((&back["metadata"]["generation"], env(&back)), (&json!(3), &json!({"OLD": "1", "BOTH": "1"})));
    let said = json!({"to": 1, "from": 2, "by": "tom", "why": "it was better"});
    assert_eq!(back["status"]["revert"], said);
    let version = world.get("/apis/encamp.dev/v1/namespaces/default/jobversions/web-v3").await;
    assert_eq!(version["spec"]["revert"], said);
    // What only the earlier version had goes with the next apply that does not name it, and nobody is in the way.
    let again = apply(&world, &json!({"NEW": "1", "BOTH": "2"})).await;
    assert_eq!(env(&again), &json!({"NEW": "1", "BOTH": "2"}), "{again}");
    assert_eq!(again["metadata"]["generation"], 4);
    assert!(again["status"].get("revert").is_none(), "{again}");
}

#[tokio::test]
async fn a_way_back_that_leads_nowhere_is_refused() {
    let world = World::new().await;
    world.json("POST", JOBS, &job("web")).await;
    let rollback = format!("{WEB}/rollback");
    let refusals = [
        (json!({"version": 9}), 422, "no version 9 is remembered; there are 1"),
        (json!({"version": 1}), 422, "version 1 is what the job is to do already"),
        (json!({}), 422, "the number of a version is needed"),
        (json!({"version": 1, "revision": 1}), 400, "unknown field `revision`"),
        (json!({"version": 1, "metadata": {"labels": {}}}), 400, "unknown field `labels`"),
        (json!({"version": 1, "why": 5}), 400, "expected a string"),
        (json!({"version": 1, "why": "x".repeat(257)}), 400, "why: at most 256 bytes"),
    ];
    for (body, code, message) in refusals {
        let (status, refused) = world.json("POST", &rollback, &body).await;
        let said = refused["message"].as_str().unwrap_or_default();
        assert!(status.as_u16() == code && said.contains(message), "{body}: {status} {refused}");
    }
    let forced = world.json("POST", &format!("{rollback}?force=true"), &json!({"version": 1})).await;
    assert!(forced.0.as_u16() == 400 && forced.1.to_string().contains("force"), "{forced:?}");
    world.merge(WEB, json!({"spec": {"priority": 70}})).await;
    let stale = json!({"version": 1, "metadata": {"resourceVersion": "1"}});
    assert_eq!(world.json("POST", &rollback, &stale).await.0.as_u16(), 409);
    let dry = world.json("POST", &format!("{rollback}?dryRun=All"), &json!({"version": 1})).await.1;
    assert_eq!(dry["metadata"]["generation"], 3, "{dry}");
    assert_eq!(world.get(WEB).await["metadata"]["generation"], 2);
}
