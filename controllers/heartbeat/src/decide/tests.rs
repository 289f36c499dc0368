//! One node, one server.

use insta::assert_snapshot;
use plan::fixture;
use schemas::codec;
use schemas::liveness::HeartbeatSettings;

use super::*;
use crate::scene::Scene;

fn decide(picture: &str) -> String {
    Scene::steady(picture).decide()
}

/// What becomes of `n1` when some document has been garbage for so many seconds.
fn with_garbage(picture: &str, garbage: &str, (seconds, alive): (i64, &[&str])) -> String {
    let mut scene = Scene::steady(picture);
    scene.write(&format!("garbage {garbage}"));
    scene.view.sight.found(&Key::new(garbage).unwrap(), true);
    scene.hear(seconds, alive);
    let told = scene.decide();
    told.lines().filter(|line| !line.starts_with("wake")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_health_that_cannot_be_read_is_written_as_the_link_says() {
    let health = |picture, when| with_garbage(picture, "/health/n1", when);
    let ready = "health n1 Ready: s1 hears it\nnote n1: s1 hears it";
    assert_eq!(health("link n1 s1 · beat s1 1 · health n1 ready", (4, &["s1"])), ready);
    let broken = health("link n1 s1 broken · beat s1 1 · health n1 ready", (4, &["s1"]));
    assert!(broken.starts_with("health n1 Down: s1 does not hear it any more"), "{broken}");
    assert_eq!(
        health("link n1 s1 · beat s1 1 · health n1 down", (4, &[])),
        "note n1: its health cannot be read"
    );
    let silent = health("link n1 s1 · beat s1 1 · health n1 down", (9, &[]));
    assert!(silent.starts_with("health n1 Down: s1, the server that heard it, is silent"), "{silent}");
    assert!(health("beat s1 1", (9, &[])).starts_with("delete /health/n1"));
}

#[test]
fn a_link_that_cannot_be_read_leaves_the_health_for_a_grace() {
    let link = |picture, when| with_garbage(picture, "/links/n1", when);
    assert_eq!(link("health n1 ready", (5, &[])), "note n1: its link cannot be read");
    let down = link("health n1 ready", (6, &[]));
    assert!(down.contains("health n1 Down: its link cannot be read, and no server hears it"), "{down}");
    assert_eq!(link("health n1 down", (60, &[])), "note n1: its link cannot be read");
}

#[test]
fn a_node_is_ready_when_heard_and_down_when_its_server_says_so() {
    assert_snapshot!(decide("link n1 s1 · beat s1 1"), @r"
    health n1 Ready: s1 hears it
    note n1: s1 hears it
    wake at +6
    ");
    assert_snapshot!(decide("link n1 s1 broken · health n1 ready · beat s1 1"), @r"
    health n1 Down: s1 has not heard it for its whole grace
    wake at +2
    note n1: s1 has not heard it for its whole grace
    ");
}

#[test]
fn a_node_comes_back_only_with_the_truth_about_its_allocations() {
    assert_snapshot!(decide("link n1 s1 untold · beat s1 1"), @r"
    note n1: it is heard, and has not written all its reports yet
    wake at +6
    ");
    assert_snapshot!(decide("health n1 down · link n1 s1 untold · beat s1 1"), @r"
    note n1: it is heard, and has not written all its reports yet
    wake at +6
    ");
    assert_snapshot!(decide("health n1 ready · link n1 s1 untold · beat s1 1"), @r"
    wake at +6
    ");
}

#[test]
fn a_silent_server_takes_its_nodes_down_after_the_grace() {
    let picture = "health n1 ready · health n2 ready · link n1 s1 · link n2 s2 · beat s1 1 · beat s2 1";
    let mut scene = Scene::steady(picture);
    scene.hear(5, &["s2"]);
    assert_snapshot!(scene.decide(), @r"
    wake at +6
    ");
    scene.hear(1, &["s2"]);
    assert_snapshot!(scene.decide(), @r"
    health n1 Down: s1, the server that heard it, is silent
    wake at +8
    note n1: s1, the server that heard it, is silent
    ");
}

#[test]
fn the_grace_is_the_clusters_or_the_nodes_own() {
    let given_up = |settings: HeartbeatSettings| {
        let picture = "node n1 grace=20s · node n2 · link n1 s1 · link n2 s1 · beat s1 1";
        let mut scene = Scene::steady(picture);
        scene.view.suppose(&[Write::put(Key::heartbeat_settings(), &settings)]);
        let mut told = Vec::new();
        for second in 1..=25 {
            scene.hear(1, &[]);
            let nodes = scene.given_up();
            told.extend((!nodes.is_empty()).then(|| format!("{nodes} after {second}")));
        }
        told
    };
    let usual = HeartbeatSettings::default();
    assert_eq!(given_up(usual), ["n2 after 6", "n1 after 20"]);
    let grace = schemas::duration::Duration::from_seconds(12);
    assert_eq!(given_up(HeartbeatSettings { grace, ..usual }), ["n2 after 12", "n1 after 20"]);
}

#[test]
fn the_observers_pause_is_nobodys_silence() {
    let picture = "health n1 ready · link n1 s1 · beat s1 1";
    let after = |pause: i64| {
        let mut scene = Scene::steady(picture);
        scene.hear(5, &[]);
        scene.pause(pause);
        let begin = scene.seconds;
        while scene.given_up().is_empty() {
            scene.hear(1, &[]);
        }
        scene.seconds - begin
    };
    assert_eq!(after(0), 1, "nothing has kept it from listening");
    assert_eq!(after(2), 6, "a full grace");
    assert_eq!(after(10), 31, "after a long pause nothing is known of anybody until its own beat is heard");
}

#[test]
fn who_has_just_begun_to_judge_waits() {
    let wait = |picture: &str| {
        let mut scene = Scene::fresh(picture, 1);
        while scene.given_up().is_empty() {
            scene.hear(1, &[]);
        }
        scene.seconds + 1
    };
    assert_eq!(wait("health n1 ready · link n1 s1"), 31, "its server was never heard");
    assert_eq!(wait("health n1 ready · link n1 s1 broken"), 7, "its server said so");
}

#[test]
fn a_new_leader_gives_everybody_a_fresh_grace() {
    let mut scene = Scene::steady("health n1 ready · link n1 s1 · beat s1 1");
    scene.view.sight.led_by("s1");
    scene.hear(5, &[]);
    scene.view.sight.led_by("own");
    scene.hear(24, &[]);
    assert_eq!(scene.given_up(), "", "the silence before it took office is not counted");
    scene.hear(7, &[]);
    assert_eq!(scene.given_up(), "n1");
}

#[test]
fn a_node_is_known_since_it_was_first_heard_whatever_becomes_of_it() {
    let known_since = |picture: &str| {
        let view = Scene::steady(picture).view;
        let root = if picture.contains("ready") { Key::brake() } else { Key::health("n1") };
        let plan = Heartbeat.plan(&view, &root, fixture::at(90));
        let [Write::Put { value, .. }] = plan.steps[0].effects.as_slice() else { panic!("one write") };
        let health: Health = codec::decode(value).unwrap();
        (health.known_since, health.since)
    };
    let now = Some(fixture::at(90));
    assert_eq!(known_since("link n1 s1"), (now, now));
    assert_eq!(known_since("link n1 s1 broken · health n1 ready since=7"), (Some(fixture::at(7)), now));
    assert_eq!(known_since("health n1 down since=8 · link n1 s1"), (Some(fixture::at(8)), now));
}

#[test]
fn an_old_link_is_no_sign_of_life() {
    assert_snapshot!(decide("link n1 s1 · health n1 down since=-90 · beat s1 1"), @r"
    note n1: its link is older than its silence
    wake at +6
    ");
    assert_snapshot!(decide("health n1 down since=-90 · link n1 s1 · beat s1 1"), @r"
    health n1 Ready: s1 hears it
    note n1: s1 hears it
    wake at +6
    ");
}

#[test]
fn a_name_that_only_beats_is_no_node() {
    let beats = "link stranger s1 · beat s1 1";
    for picture in [beats, "link stranger s1 broken · beat s1 1"] {
        let told = decide(picture);
        assert!(told.starts_with("note stranger: its agent has not registered yet\n"), "{told}");
        assert!(!told.contains("health"), "{told}");
    }
    let registered = decide(&format!("{beats} · node stranger unheard"));
    assert!(registered.contains("health stranger Ready"), "{registered}");
    let placed = decide(&format!("{beats} · place web.api.0-v1.0 on stranger"));
    assert!(placed.contains("health stranger Ready"), "it lost its fingerprint: {placed}");
}
