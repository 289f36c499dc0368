//! Many nodes at once.

use insta::assert_snapshot;
use plan::fixture;
use plan::{Guard, View};
use schemas::codec;
use schemas::liveness::HeartbeatSettings;

use super::*;
use crate::scene::Scene;

/// So many nodes, heard by `s1`.
fn cluster(nodes: usize) -> Scene {
    let nodes = (1..=nodes).map(|n| format!("health n{n} ready since=-900 · link n{n} s1"));
    Scene::steady(&format!("beat s1 1 · {}", nodes.collect::<Vec<_>>().join(" · ")))
}

fn breaks(nodes: impl IntoIterator<Item = usize>) -> String {
    nodes.into_iter().map(|n| format!("link n{n} s1 broken")).collect::<Vec<_>>().join(" · ")
}

/// Who is given up in so many seconds, and when.
fn given_up(scene: &mut Scene, seconds: i64) -> Vec<String> {
    let mut told = Vec::new();
    for _second in 0..seconds {
        let nodes = scene.given_up();
        told.extend((!nodes.is_empty()).then(|| format!("{nodes} at {}", scene.seconds)));
        scene.hear(1, &["s1"]);
    }
    told
}

fn brake(view: &View) -> Brake {
    view.brakes.get(&Key::brake()).cloned().unwrap_or_default()
}

#[test]
fn a_few_nodes_are_given_up_at_once() {
    let mut scene = cluster(5);
    scene.write(&breaks([2, 4]));
    assert_eq!(given_up(&mut scene, 60), ["n2 n4 at 0"]);
    let mut scene = cluster(2);
    scene.write(&breaks([1, 2]));
    assert_eq!(given_up(&mut scene, 60), ["n1 n2 at 0"], "two nodes are no cluster to hold together");
}

#[test]
fn half_of_all_nodes_are_given_up_slowly() {
    let mut scene = cluster(6);
    scene.write(&breaks([1, 3, 5]));
    assert_eq!(given_up(&mut scene, 100), ["n1 at 10", "n3 at 20", "n5 at 30"]);
    assert_eq!(brake(&scene.view), Brake::default(), "nobody waits any more");
}

#[test]
fn three_nodes_are_a_cluster() {
    let mut scene = cluster(3);
    scene.write(&breaks([1, 2]));
    assert_eq!(given_up(&mut scene, 60), ["n1 at 10", "n2 at 20"]);
}

#[test]
fn those_who_were_just_given_up_count() {
    let mut scene = cluster(6);
    scene.write(&breaks([1, 2]));
    assert_eq!(given_up(&mut scene, 3), ["n1 n2 at 0"], "a third is no half");
    scene.write(&breaks([3]));
    assert_eq!(given_up(&mut scene, 60), ["n3 at 13"], "with them it is, within one grace");
}

#[test]
fn what_is_done_while_it_holds_is_one_step() {
    let mut scene = cluster(4);
    scene.write(&breaks([1, 2]));
    assert_snapshot!(scene.decide(), @r#"
    put /brakes/nodes {"since":"2026-01-01T00:00:00Z","next":"2026-01-01T00:00:10Z","waiting":["n1","n2"]}
    wake at +2
    note brake: the brake holds, 2 nodes wait
    "#);
    scene.hear(10, &["s1"]);
    let plan = plan(&scene.view, fixture::at(10));
    let [step] = plan.steps.as_slice() else { panic!("one step: {plan:?}") };
    let guarded: Vec<String> = step
        .guards
        .iter()
        .map(|guard| match guard {
            Guard::At(key, _) | Guard::Absent(key) => key.to_string(),
            other @ (Guard::Unchanged { .. } | Guard::Term { .. }) => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        guarded,
        ["/brakes/nodes", "/health/n1", "/links/n1"],
        "a second leader cannot give up another"
    );
    let [_, Write::Put { value, .. }] = step.effects.as_slice() else { panic!("two writes") };
    let left: Brake = codec::decode(value).unwrap();
    assert_eq!((left.next, left.waiting), (Some(fixture::at(20)), ["n2".to_owned()].into()));
}

#[test]
fn a_silence_that_has_only_begun_counts() {
    let mut scene = cluster(10);
    scene.write(&format!("beat s1 2 late=5 · {}", breaks([1])));
    assert_eq!(given_up(&mut scene, 5), Vec::<String>::new(), "four more have missed a beat");
    scene.write(&format!("beat s1 3 · {}", breaks(2..=5)));
    assert_eq!(given_up(&mut scene, 60), ["n1 at 10", "n2 at 20", "n3 at 30", "n4 at 40", "n5 at 50"]);
}

#[test]
fn a_beat_that_is_older_than_what_its_server_wrote_counts_nobody_twice() {
    let mut scene = cluster(4);
    scene.write(&format!("beat s1 2 late=1 · {}", breaks([1])));
    assert_eq!(scene.given_up(), "n1");
}

#[test]
fn a_server_that_falls_silent_with_its_nodes_is_slowed_too() {
    let mut scene = cluster(4);
    scene.write("beat s2 1 · link n3 s2 · link n4 s2");
    scene.hear(2, &["s1", "s2"]);
    let mut told = Vec::new();
    for _second in 0..40 {
        let nodes = scene.given_up();
        told.extend((!nodes.is_empty()).then(|| format!("{nodes} at {}", scene.seconds)));
        scene.hear(1, &["s1"]);
    }
    assert_eq!(told, ["n3 at 18", "n4 at 28"]);
}

#[test]
fn none_is_given_up_while_all_are_silent() {
    let mut scene = cluster(4);
    scene.write(&breaks(1..=4));
    assert_eq!(given_up(&mut scene, 300), Vec::<String>::new());
    assert_eq!(brake(&scene.view).waiting.len(), 4);
    scene.write("link n2 s1");
    assert_eq!(given_up(&mut scene, 8), Vec::<String>::new(), "the others get time to follow");
    scene.write("link n1 s1 · link n3 s1");
    assert_eq!(given_up(&mut scene, 60), ["n4 at 310"]);
}

#[test]
fn those_lost_long_ago_do_not_count_as_silent_now() {
    let mut scene = cluster(6);
    scene.write("health n1 down since=-900 · health n2 down since=-900");
    scene.write(&breaks(1..=3));
    assert_eq!(given_up(&mut scene, 60), ["n3 at 0"]);
}

#[test]
fn a_person_lets_the_silent_nodes_go() {
    let mut scene = cluster(4);
    scene.write(&breaks([1, 2, 3]));
    assert_eq!(given_up(&mut scene, 3), Vec::<String>::new());
    scene.write("release silence=-7");
    assert_eq!(given_up(&mut scene, 3), Vec::<String>::new(), "a word about another silence");
    scene.write("release silence=0");
    assert_eq!(given_up(&mut scene, 3), ["n1 n2 n3 at 6"]);
    scene.write("link n1 s1 · link n2 s1 · link n3 s1 · health n1 ready · health n2 ready · health n3 ready");
    scene.hear(60, &["s1"]);
    scene.write(&breaks([1, 2, 3]));
    assert_eq!(given_up(&mut scene, 5), Vec::<String>::new(), "the next silence waits for a word of its own");
}

#[test]
fn settings_say_when_and_how_slowly() {
    let set = |settings: BrakeSettings| {
        let mut scene = cluster(10);
        let settings = HeartbeatSettings { brake: settings, ..HeartbeatSettings::default() };
        scene.view.suppose(&[Write::put(Key::heartbeat_settings(), &settings)]);
        scene.write(&breaks([1, 2, 3]));
        given_up(&mut scene, 20)
    };
    let usual = BrakeSettings::default();
    assert_eq!(set(usual), ["n1 n2 n3 at 0"]);
    let one_node_every = schemas::duration::Duration::from_seconds(2);
    let (n1, n2, n3) = ("n1 at 2", "n2 at 4", "n3 at 6");
    assert_eq!(set(BrakeSettings { percent: 30, one_node_every, ..usual }), [n1, n2, n3]);
    assert_eq!(set(BrakeSettings { percent: 30, min_nodes: 11, ..usual }), ["n1 n2 n3 at 0"]);
    assert_eq!(set(BrakeSettings { percent: 30, enabled: false, ..usual }), ["n1 n2 n3 at 0"]);
}

#[test]
fn while_the_brake_holds_it_is_asked_again_later_never_at_once() {
    let mut scene = cluster(10);
    scene.write(&format!("beat s1 2 late=4 · {}", breaks([1])));
    scene.write("brake since=-20 next=-10 waiting=n1");
    scene.write("link n1 s1");
    let plan = plan(&scene.view, fixture::at(0));
    assert!(plan.wake_at.is_some_and(|at| at > fixture::at(0)), "{plan:?}");
}

#[test]
fn names_that_are_no_nodes_do_not_hold_the_brake() {
    let nodes = "node n1 · node n2 · node n3 · node n4 · link n1 s1 · link n2 s1 · link n3 s1 · link n4 s2";
    let silent = "health n4 ready · link n4 s2 broken";
    let late = |late: u32| {
        let told = Scene::steady(&format!("{nodes} · beat s1 1 late={late} · beat s2 1 · {silent}")).decide();
        told.contains("health n4 Down")
    };
    assert!(late(0), "one of four is given up at once");
    assert!(!late(2), "three of four are silent: the brake holds");
    let strangers = format!("node n4 · link n4 s2 · beat s1 1 late=250 · beat s2 1 · {silent}");
    let far = "node n1 · node n2 · node n3 · link n1 s2 · link n2 s2 · link n3 s2";
    assert!(Scene::steady(&format!("{far} · {strangers}")).decide().contains("health n4 Down"));
}
