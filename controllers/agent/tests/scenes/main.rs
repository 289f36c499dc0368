//! Scenes of a node's life: wishes, exits and time in, a transcript of acts out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod absent;
mod again;
mod laws;
mod node;

use agent::{CheckStatus, VersionFact};
use insta::assert_snapshot;
use serde_json::json;

use node::{Node, id};

#[test]
fn a_service_runs_becomes_healthy_and_stops() {
    let node = Node::new().place("service", json!({"tasks": [{"name": "server"}]})).wait(60).stop().unplace();
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy
    60s wish stop:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: job stopped
      report default/web.api.0-v0.0 complete v0 healthy ran=60s exit=130 (job stopped)
    60s unplace:
      forget default/web.api.0-v0.0/server
      remove the folders of default/web.api.0-v0.0
      unreport default/web.api.0-v0.0
      forget all of default/web.api.0-v0.0
    ");
    assert!(node.local.memory.is_empty() && node.local.reports.is_empty());
}

#[test]
fn a_batch_task_ends_well_or_is_tried_again() {
    let restart = json!({"attempts": 1, "delay": "10s"});
    let node = Node::new()
        .place("batch", json!({"restart": restart, "tasks": [{"name": "work"}]}))
        .wait(5)
        .exit("work", 1)
        .wait(20)
        .exit("work", 0);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/work #0
      report default/web.api.0-v0.0 running v0
    5s work exits 1:
      report default/web.api.0-v0.0 pending v0 restarts=1 (waiting to restart work)
    15s timer:
      start default/web.api.0-v0.0/work #1
      report default/web.api.0-v0.0 pending v0 restarts=1
      report default/web.api.0-v0.0 running v0 restarts=1
    25s work exits 0:
      report default/web.api.0-v0.0 complete v0 restarts=1 ran=25s exit=0
    ");
}

#[test]
fn when_the_policy_gives_up_the_allocation_fails_and_siblings_stop() {
    let restart = json!({"attempts": 0, "mode": "fail"});
    let tasks = json!([{"name": "a"}, {"name": "b", "killTimeout": "9s"}]);
    let node = Node::new().place("service", json!({"restart": restart, "tasks": tasks})).exit("a", 3);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/a #0
      start default/web.api.0-v0.0/b #0
      report default/web.api.0-v0.0 running v0
    0s a exits 3:
      stop default/web.api.0-v0.0/b with SIGINT in 9s: task a of the same group failed
      report default/web.api.0-v0.0 running v0 unhealthy (task a: exit code 3)
      report default/web.api.0-v0.0 failed v0 unhealthy ran=0s exit=3 (task a: exit code 3)
    ");
}

#[test]
fn a_task_that_can_never_start_fails_at_once_and_one_that_may_is_tried_again() {
    let group = || json!({"tasks": [{"name": "server"}]});
    let fatal = Node::new().break_start("server", true).place("service", group());
    assert_snapshot!(fatal.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 failed v0 unhealthy (task server: no such program)
    ");
    let later = Node::new().break_start("server", false).place("service", group()).mend().wait(20);
    assert_snapshot!(later.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 pending v0 restarts=1 (waiting to restart server)
    17s timer:
      start default/web.api.0-v0.0/server #1
      report default/web.api.0-v0.0 pending v0 restarts=1
      report default/web.api.0-v0.0 running v0 restarts=1
    ");
}

#[test]
fn where_a_port_is_taken_it_ends_at_once_to_be_placed_elsewhere() {
    let network = json!([{"ports": [{"label": "http", "static": 8080}, {"label": "any"}]}]);
    let group = || json!({"networks": network, "tasks": [{"name": "server"}, {"name": "side"}]});
    let taken = |port, job: &str| Node::new().take_port("server", port).place(job, group());
    assert_snapshot!(taken(20_001, "service").log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      start default/web.api.0-v0.0/side #0
      stop default/web.api.0-v0.0/side with SIGINT in 5s: task server: port 8080 is taken by PID 7 (nginx)
      report default/web.api.0-v0.0 running v0 (task server: port 8080 is taken by PID 7 (nginx))
      report default/web.api.0-v0.0 failed v0 ran=0s taken=20001 (task server: port 8080 is taken by PID 7 (nginx))
    ");
    assert_eq!(taken(20_001, "service").log.replace("20001", "8080"), taken(8080, "service").log);
    assert_eq!(taken(20_001, "service").log, taken(20_001, "system").log, "another port of the node will do");
    assert_snapshot!(taken(8080, "system").log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      start default/web.api.0-v0.0/side #0
      report default/web.api.0-v0.0 running v0 restarts=1 (waiting to restart server)
    ");
    // What has begun is not given up for a port that somebody took meanwhile.
    let began = Node::new().place("service", group()).take_port("server", 8080).hush();
    assert_snapshot!(began.exit("server", 1).wait(20).log, @r"
    0s server exits 1:
      report default/web.api.0-v0.0 running v0 restarts=1 (waiting to restart server)
    17s timer:
      start default/web.api.0-v0.0/server #1
      report default/web.api.0-v0.0 running v0 restarts=1
      report default/web.api.0-v0.0 running v0 restarts=2 (waiting to restart server)
    ");
}

#[test]
fn tasks_start_and_stop_in_the_order_of_their_lives() {
    let tasks = json!([
        {"name": "migrate", "lifecycle": {"hook": "prestart"}},
        {"name": "proxy", "lifecycle": {"hook": "prestart", "sidecar": true}},
        {"name": "server"},
        {"name": "announce", "lifecycle": {"hook": "poststart"}},
        {"name": "logger", "lifecycle": {"hook": "poststart", "sidecar": true}},
        {"name": "cleanup", "lifecycle": {"hook": "poststop"}},
    ]);
    let node = Node::new()
        .place("service", json!({"tasks": tasks}))
        .exit("migrate", 0)
        .exit("announce", 0)
        .wait(15)
        .stop()
        .exit("cleanup", 0);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/migrate #0
      start default/web.api.0-v0.0/proxy #0
    0s migrate exits 0:
      start default/web.api.0-v0.0/server #0
      start default/web.api.0-v0.0/announce #0
      start default/web.api.0-v0.0/logger #0
      report default/web.api.0-v0.0 running v0
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy
    15s wish stop:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: job stopped
      stop default/web.api.0-v0.0/proxy with SIGINT in 5s: job stopped
      stop default/web.api.0-v0.0/logger with SIGINT in 5s: job stopped
      start default/web.api.0-v0.0/cleanup #0
    15s cleanup exits 0:
      report default/web.api.0-v0.0 complete v0 healthy ran=15s exit=130 (job stopped)
    ");
}

#[test]
fn the_leader_takes_the_others_with_it() {
    let tasks = json!([{"name": "main", "leader": true}, {"name": "side"}]);
    let node = Node::new().place("batch", json!({"tasks": tasks})).wait(3).exit("main", 0);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/main #0
      start default/web.api.0-v0.0/side #0
      report default/web.api.0-v0.0 running v0
    3s main exits 0:
      stop default/web.api.0-v0.0/side with SIGINT in 5s: the leader of the group ended
      report default/web.api.0-v0.0 complete v0 ran=3s exit=0
    ");
}

#[test]
fn a_wish_to_stop_waits_for_the_shutdown_delays() {
    let tasks = json!([{"name": "server", "shutdownDelay": "2s"}]);
    let node = Node::new().place("service", json!({"shutdownDelay": "5s", "tasks": tasks})).stop().wait(10);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    7s timer:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: job stopped
      report default/web.api.0-v0.0 complete v0 ran=7s exit=130 (job stopped)
    ");
}

#[test]
fn checks_decide_over_health_and_restart_tasks() {
    let check = json!({"name": "alive", "type": "tcp", "interval": "1s", "timeout": "1s",
        "checkRestart": {"limit": 3, "grace": "5s"}});
    let service = json!({"name": "web", "provider": "nomad", "port": "http", "checks": [check]});
    let node = Node::new()
        .place("service", json!({"services": [service], "tasks": [{"name": "server"}]}))
        .wait(20)
        .check(CheckStatus::Passing, 0)
        .wait(10)
        .check(CheckStatus::Failing, 3)
        .wait(25);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    30s timer:
      report default/web.api.0-v0.0 running v0 healthy
    30s check failing:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: check web/alive failed 3 times in a row
      report default/web.api.0-v0.0 pending v0 healthy restarts=1 (waiting to restart server)
    47s timer:
      start default/web.api.0-v0.0/server #1
      report default/web.api.0-v0.0 pending v0 healthy restarts=1
      report default/web.api.0-v0.0 running v0 healthy restarts=1
    ");
}

#[test]
fn without_passing_checks_the_deadline_makes_it_unhealthy() {
    let check = json!({"name": "alive", "type": "tcp", "interval": "1s", "timeout": "1s"});
    let service = json!({"name": "web", "provider": "nomad", "port": "http", "checks": [check]});
    let update = json!({"healthyDeadline": "1m", "minHealthyTime": "5s"});
    let group = json!({"update": update, "services": [service], "tasks": [{"name": "server"}]});
    assert_snapshot!(Node::new().place("service", group).wait(120).log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    60s timer:
      report default/web.api.0-v0.0 running v0 unhealthy
    ");
}

#[test]
fn what_is_healthy_after_the_deadline_is_healthy() {
    let update = json!({"healthyDeadline": "1m", "minHealthyTime": "5s"});
    let group =
        json!({"update": update, "restart": {"attempts": 9, "delay": "70s"}, "tasks": [{"name": "server"}]});
    let node = Node::new().break_start("server", false).place("service", group);
    assert_snapshot!(node.wait(90).mend().hush().wait(120).log, @r"
    157s timer:
      start default/web.api.0-v0.0/server #2
      report default/web.api.0-v0.0 pending v0 unhealthy restarts=2
      report default/web.api.0-v0.0 running v0 unhealthy restarts=2
    162s timer:
      report default/web.api.0-v0.0 running v0 healthy restarts=2
    ");
}

#[test]
fn a_new_version_in_place_restarts_nothing_and_what_was_healthy_stays_so() {
    let node = Node::new().place("service", json!({"tasks": [{"name": "server"}]})).wait(20);
    let VersionFact::Known(job) = node.local.wishes[&id()].job.clone() else {
        panic!("it was placed with its job")
    };
    let node = node.place_spec((*job).clone(), 1).wait(20);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 running v0
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy
    20s place:
      report default/web.api.0-v0.0 running v1 healthy
    ");
}

#[test]
fn losing_the_memory_changes_nothing_that_runs() {
    let node = Node::new().place("service", json!({"tasks": [{"name": "server"}]})).wait(20);
    let before = node.log.clone();
    let node = node.lose_memory().wait(20);
    assert_eq!(node.log, before);
}

#[test]
fn losing_the_memory_revives_nothing_that_has_ended() {
    let node = Node::new().place("batch", json!({"tasks": [{"name": "work"}]})).exit("work", 0);
    let before = node.log.clone();
    let mut node = node.lose_memory();
    assert_eq!(node.log, before, "its runtime remembers");
    node.local.tasks.clear();
    let node = node.lose_memory();
    assert_eq!(node.log, before, "its report remembers");
}

#[test]
fn a_memory_older_than_the_report_revives_nothing_that_has_ended() {
    let node = Node::new().break_start("work", true).save_memory();
    let node = node.place("batch", json!({"tasks": [{"name": "work"}]}));
    let before = node.log.clone();
    let mut node = node.mend();
    node.local.tasks.clear();
    let node = node.return_to_memory();
    assert_eq!(node.log, before, "nothing was remembered");
    let node = Node::new().place("batch", json!({"tasks": [{"name": "work"}]})).save_memory();
    let mut node = node.exit("work", 0);
    let before = node.log.clone();
    node.local.tasks.clear();
    assert_eq!(node.return_to_memory().log, before, "that it ran was remembered");
}

#[test]
fn a_memory_older_than_the_runtime_goes_on_with_what_runs() {
    let restart = json!({"attempts": 3, "delay": "1s"});
    let node = Node::new().place("service", json!({"restart": restart, "tasks": [{"name": "server"}]}));
    let node = node.save_memory().exit("server", 1).wait(5).hush();
    assert_snapshot!(node.return_to_memory().wait(30).log, @r"
    11s timer:
      report default/web.api.0-v0.0 running v0 healthy restarts=1
    ");
}

#[test]
fn a_task_that_turns_up_after_the_end_is_stopped_and_the_end_stays() {
    let group = json!({"restart": {"attempts": 0}, "tasks": [{"name": "server"}]});
    let node = Node::new().break_start("server", false).place("service", group);
    assert_snapshot!(node.log, @r"
    0s place:
      start default/web.api.0-v0.0/server #0
      report default/web.api.0-v0.0 failed v0 unhealthy (task server: no such program)
    ");
    assert_snapshot!(node.hush().appear("server", 0).log, @r"
    0s server #0 turns up:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: task server of the same group failed
    ");
}

#[test]
fn an_earlier_start_that_still_lives_is_gone_on_with() {
    let restart = json!({"attempts": 3, "delay": "1s"});
    let group = json!({"restart": restart, "tasks": [{"name": "server"}]});
    let node = Node::new().break_start("server", false).place("service", group).hush();
    assert_snapshot!(node.appear("server", 0).wait(30).log, @r"
    0s server #0 turns up:
      report default/web.api.0-v0.0 running v0 restarts=1
    10s timer:
      report default/web.api.0-v0.0 running v0 healthy restarts=1
    ");
}

#[test]
fn nothing_is_decided_while_a_driver_is_silent() {
    let mut node = Node::new();
    node.local.blind.insert("raw_exec".into());
    let node = node.place("service", json!({"tasks": [{"name": "server"}]}));
    assert_eq!(node.log, "");
}

#[test]
fn a_batch_group_ends_after_its_longest_time() {
    let group = json!({"maxRunDuration": "30s", "tasks": [{"name": "work"}]});
    assert_snapshot!(Node::new().place("batch", group).wait(60).log, @r"
    0s place:
      start default/web.api.0-v0.0/work #0
      report default/web.api.0-v0.0 running v0
    30s timer:
      stop default/web.api.0-v0.0/work with SIGINT in 5s: it ran for max_run_duration
      report default/web.api.0-v0.0 running v0 (it ran for max_run_duration)
      report default/web.api.0-v0.0 complete v0 ran=30s exit=130 (it ran for max_run_duration)
    ");
}

#[test]
fn who_holds_too_much_of_the_disk_has_failed() {
    let task = |name: &str| json!({"name": name, "logs": {"maxFiles": 1, "maxFileSize": 2}});
    let after = json!({"name": "after", "lifecycle": {"hook": "poststop"}, "logs": {"disabled": true}});
    let group = json!({"ephemeralDisk": {"size": 20}, "shutdownDelay": "1m", "restart": {"attempts": 3},
        "tasks": [task("server"), task("helper"), after]});
    let node = Node::new().place("service", group).hush();
    // Eight MB of logs have room of their own.
    let node = node.hold(8, 20);
    assert_eq!(node.log, "");
    let node = node.hold(9, 20);
    assert_snapshot!(node.log, @r"
    0s holds 9 and 20 MB:
      stop default/web.api.0-v0.0/server with SIGINT in 5s: it holds at least 21 MB of the disk, and the group's ephemeral_disk has 20 MB
      stop default/web.api.0-v0.0/helper with SIGINT in 5s: it holds at least 21 MB of the disk, and the group's ephemeral_disk has 20 MB
      report default/web.api.0-v0.0 running v0 unhealthy (it holds at least 21 MB of the disk, and the group's ephemeral_disk has 20 MB)
      report default/web.api.0-v0.0 failed v0 unhealthy ran=0s exit=130 (it holds at least 21 MB of the disk, and the group's ephemeral_disk has 20 MB)
    ");
    let memory = &node.local.memory[&node::id()];
    let events = memory.tasks["server"].events.iter().map(|event| event.kind.as_str());
    let last: Vec<&str> = events.skip(2).collect();
    assert_eq!(last, ["Disk Resources Exceeded", "Terminated", "Killed"]);
}
