//! A job was deleted and made again at once: its placement has the name of the old one.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::node::Node;

fn group() -> Value {
    json!({"tasks": [{"name": "server"}]})
}

fn running() -> Node {
    Node::new().place("service", group()).wait(20)
}

fn ended() -> Node {
    Node::new().place("batch", group()).wait(20).exit("server", 0)
}

/// What is done when the placement is made again.
fn done(node: Node) -> String {
    node.hush().made_again("service", group()).log
}

#[test]
fn what_was_left_of_an_earlier_placement_of_the_name_goes_first() {
    let stop = "\n  stop default/web.api.0-v0.0/server with SIGINT in 5s: another was placed under its name";
    let done_to_running = done(running());
    assert_snapshot!(done_to_running, @r"
    20s made again:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: another was placed under its name
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    ");
    assert_eq!(done(ended()), done_to_running.replace(stop, ""), "what has ended need not be stopped");
}

#[test]
fn without_memory_the_report_tells_whose_tasks_there_are() {
    for node in [running, ended] {
        let remembered = done(node());
        let without_memory = remembered
            .replace(" with SIGINT in 5s", "")
            .replace("\n  forget all of default/web.api.0-v0.0", "");
        assert_ne!(without_memory, remembered);
        assert_eq!(done(node().forget_silently()), without_memory);
    }
}

#[test]
fn what_another_machine_of_the_name_ran_is_never_begun_here() {
    let mut node = Node::new();
    node.local.inherited.insert(crate::node::id());
    let node = node.place("service", group()).wait(20).stop().unplace();
    assert_snapshot!(node.log, @r"
    0s place:
      report default/web.api.0-v0.0 failed v0 (its machine was replaced by another of the same name)
    20s unplace:
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
    ");
}

#[test]
fn what_is_held_here_is_no_inheritance() {
    let mut node = running().hush();
    node.local.inherited.insert(crate::node::id());
    let log = node.exit("server", 1).wait(30).log;
    assert!(log.contains("start default/web.api.0-v0.0/server #1"), "{log}");
}
