//! A job was deleted and made again at once: its placement has the name of the old one.

use insta::assert_snapshot;
use serde_json::json;

use crate::node::Node;

#[test]
fn what_was_left_of_an_earlier_placement_of_the_name_goes_first() {
    let service = || json!({"tasks": [{"name": "server"}]});
    let running = Node::new().place("service", service()).wait(20).made_again("service", service());
    assert_snapshot!(running.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy
    20s made again:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: its placement is gone
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    ");
    let ended = Node::new().place("batch", service()).exit("server", 0).made_again("batch", service());
    assert_snapshot!(ended.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    0s server exits 0:
      report default/web.api.0-v0.0 complete v0 ran=0s exit=0
    0s made again:
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    ");
}

#[test]
fn without_memory_the_report_tells_whose_tasks_there_are() {
    let service = || json!({"tasks": [{"name": "server"}]});
    let running = Node::new().place("service", service()).wait(20).forget_silently();
    assert_snapshot!(running.made_again("service", service()).log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy
    20s made again:
      stop default/web.api.0-v0.0/server: its placement is gone
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    ");
    let ended = Node::new().place("batch", service()).exit("server", 0).forget_silently();
    assert_snapshot!(ended.made_again("batch", service()).log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    0s server exits 0:
      report default/web.api.0-v0.0 complete v0 ran=0s exit=0
    0s made again:
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    ");
}
