//! Pictures of mistakes and of what is said about them; laws for any job at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::job;
use crate::arbitrary::any_job;
use crate::job::JobSpec;

/// What is said about a job in JSON.
fn said(spec: Value) -> String {
    let spec: JobSpec = serde_json::from_value(spec).expect("the fixture reads");
    job("web", &spec).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn task(extra: Value) -> Value {
    let mut task = json!({ "name": "web", "driver": "docker", "config": { "image": "nginx" } });
    merge(&mut task, extra);
    task
}

fn group(extra: Value) -> Value {
    let mut group = json!({ "name": "web", "tasks": [task(json!({}))] });
    merge(&mut group, extra);
    group
}

fn merge(base: &mut Value, extra: Value) {
    let Value::Object(extra) = extra else { panic!("an object") };
    base.as_object_mut().expect("an object").extend(extra);
}

fn said_of_group(extra: Value) -> String {
    said(json!({ "groups": [group(extra)] }))
}

fn said_of_task(extra: Value) -> String {
    said_of_group(json!({ "tasks": [task(extra)] }))
}

#[test]
fn a_sound_job_is_sound() {
    insta::assert_snapshot!(said(json!({ "groups": [group(json!({}))] })), @"");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let spec = json!({
        "priority": 101,
        "datacenters": [],
        "groups": [{ "name": "a b", "count": 60_000, "tasks": [
            { "name": "alloc", "driver": "dokcer" },
            { "name": "x/y", "driver": "exec", "config": { "comand": "x" }, "leader": true },
            { "name": "x/y", "driver": "java", "leader": true, "killTimeout": "-1s", "killSignal": "SIGTREM" },
        ]}],
    });
    insta::assert_snapshot!(said(spec), @r#"
    error /spec/priority: 101 is not between 1 and 100
    error /spec/datacenters: no datacenter is given; `["*"]` is all of them
    error /spec/groups: 60000 instances are more than 50000
    error /spec/groups/0/name: the name of the group holds white space or control characters
    error /spec/groups/0/tasks/2/leader: `x/y` is a second leader; a group has at most one
    error /spec/groups/0/tasks/2/name: there are two tasks named `x/y`
    error /spec/groups/0/tasks/0/name: `alloc` is the directory that all tasks share; use another name
    error /spec/groups/0/tasks/0/driver: unknown driver `dokcer` (allowed: docker, exec, raw_exec, java, qemu); did you mean `docker`?
    error /spec/groups/0/tasks/1/name: the name of the task holds a slash
    error /spec/groups/0/tasks/1/config/comand: unknown key of the exec driver `comand` (allowed: args, cap_add, cap_drop, command, ipc_mode, oom_score_adj, pid_mode, work_dir); did you mean `command`?
    error /spec/groups/0/tasks/2/name: the name of the task holds a slash
    error /spec/groups/0/tasks/2/config: the java driver needs `class` or `jar_path`
    error /spec/groups/0/tasks/2/killTimeout: -1s is negative
    error /spec/groups/0/tasks/2/killSignal: unknown signal `SIGTREM`; did you mean `SIGTERM`?
    "#);
}

#[test]
fn driver_keys() {
    let table = [
        said_of_task(json!({ "config": {} })),
        said_of_task(json!({ "config": { "image": "nginx", "networkMode": "host", "zebra": 1 } })),
        said_of_task(json!({ "driver": "java", "config": {} })),
        said_of_task(json!({ "driver": "" })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/tasks/0/config: the docker driver needs `image`
    error /spec/groups/0/tasks/0/config/networkMode: unknown key of the docker driver `networkMode`; did you mean `network_mode`?
    error /spec/groups/0/tasks/0/config/zebra: unknown key of the docker driver `zebra`
    error /spec/groups/0/tasks/0/config: the java driver needs `class` or `jar_path`
    error /spec/groups/0/tasks/0/driver: the task has no driver (allowed: docker, exec, raw_exec, java, qemu)
    ");
}

#[test]
fn policies_as_merged() {
    let table = [
        said_of_group(json!({ "update": { "minHealthyTime": "6m" } })),
        said_of_group(json!({ "update": { "healthyDeadline": "20m" } })),
        said_of_group(json!({ "update": { "healthyDeadline": "20m", "progressDeadline": "0s" } })),
        said_of_group(json!({ "update": { "autoPromote": true } })),
        said(
            json!({ "update": { "autoPromote": true }, "groups": [group(json!({})), group(json!({ "name": "b" }))] }),
        ),
        said_of_group(json!({ "restart": { "attempts": 10, "delay": "1m", "interval": "5m" } })),
        said_of_group(json!({ "restart": { "attempts": 0, "mode": "delay" } })),
        said_of_task(json!({ "restart": { "interval": "1s", "attempts": 0 } })),
        said_of_group(json!({ "reschedule": { "delay": "1s" } })),
        said_of_group(json!({ "reschedule": { "unlimited": false, "attempts": 3, "interval": "10s" } })),
        said_of_group(json!({ "migrate": { "maxParallel": 0, "healthCheck": "manual" } })),
        said_of_group(json!({ "disconnect": { "lostAfter": "1h", "stopOnClientAfter": "1h" } })),
        said_of_task(json!({ "killTimeout": "20m" })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/update/healthyDeadline: 5m is not longer than `minHealthyTime` (6m); nothing could ever become healthy
    error /spec/groups/0/update/progressDeadline: 10m is not longer than `healthyDeadline` (20m); make it longer, or 0 to fail with the first unhealthy instance

    error /spec/groups/0/update/autoPromote: there are no canaries to promote; set `canary`
    error /spec/update/autoPromote: there are no canaries to promote; set `canary`
    error /spec/groups/0/restart/interval: 10 attempts with 1m between them take 10m; make the interval longer than 5m, or allow fewer attempts
    error /spec/groups/0/restart/attempts: with 0 attempts there is nothing to delay; use mode `fail`, or at least one attempt
    error /spec/groups/0/tasks/0/restart/interval: 1s is too short; use at least 5s
    error /spec/groups/0/reschedule/delay: 1s is too short; use at least 5s
    error /spec/groups/0/reschedule/interval: 10s is too short; use at least 15s
    error /spec/groups/0/reschedule/interval: 3 attempts with 30s between them take at least 1m30s
    error /spec/groups/0/migrate/maxParallel: with 0 at a time a drain would never end
    error /spec/groups/0/migrate/healthCheck: nobody is asked during a drain (allowed: checks, task_states)
    error /spec/groups/0/disconnect: `lostAfter` and `stopOnClientAfter` exclude each other; either the instance may come back, or its node stops it
    error /spec/groups/0/tasks/0/killTimeout: 20m is longer than the rollout's `progressDeadline` (10m)
    ");
}

#[test]
fn what_a_type_does_not_have() {
    let wishes = json!({
        "count": 2, "update": {}, "migrate": {}, "reschedule": {}, "maxRunDuration": "1h",
        "scaling": { "max": 3 }, "affinities": [{ "attribute": "a", "value": "b" }], "spreads": [{ "attribute": "a" }],
    });
    let table = ["service", "batch", "system", "sysbatch"].map(|job_type| {
        let problems = said(json!({ "type": job_type, "groups": [group(wishes.clone())] }));
        format!("{job_type}\n{problems}")
    });
    insta::assert_snapshot!(table.join("\n"), @"
    service
    error /spec/groups/0/maxRunDuration: a service job runs until it is stopped; only batch jobs have it
    batch
    error /spec/groups/0/update: a batch job has no `update`; only service and system jobs have
    error /spec/groups/0/migrate: a batch job has no `migrate`; only service jobs have
    system
    error /spec/groups/0/count: a system job runs once on every node; leave `count` out
    error /spec/groups/0/affinities: a system job has no affinities; it runs on every node that meets its constraints
    error /spec/groups/0/spreads: a system job has no spreads; it runs on every node that meets its constraints
    error /spec/groups/0/migrate: a system job has no `migrate`; only service jobs have
    error /spec/groups/0/reschedule: a system job has no `reschedule`; only service and batch jobs have
    error /spec/groups/0/scaling: a system job cannot be scaled
    error /spec/groups/0/maxRunDuration: a system job runs until it is stopped; only batch jobs have it
    sysbatch
    error /spec/groups/0/count: a sysbatch job runs once on every node; leave `count` out
    error /spec/groups/0/affinities: a sysbatch job has no affinities; it runs on every node that meets its constraints
    error /spec/groups/0/spreads: a sysbatch job has no spreads; it runs on every node that meets its constraints
    error /spec/groups/0/update: a sysbatch job has no `update`; only service and system jobs have
    error /spec/groups/0/migrate: a sysbatch job has no `migrate`; only service jobs have
    error /spec/groups/0/reschedule: a sysbatch job has no `reschedule`; only service and batch jobs have
    error /spec/groups/0/scaling: a sysbatch job cannot be scaled
    ");
}

#[test]
fn placement_rules() {
    let constraint = |operator: &str, value: &str| {
        said_of_group(
            json!({ "constraints": [{ "attribute": "${attr.x}", "operator": operator, "value": value }] }),
        )
    };
    let table = [
        constraint("regexp", "(a"),
        constraint("regexp", "${meta.pattern}("),
        constraint("version", ">= 1.2, < two"),
        constraint("version", ">= 1.2, ~> 2.0-beta1"),
        constraint("semver", ">= 1.2"),
        constraint("semver", ">= 1.2.0"),
        constraint("distinct_property", "0"),
        constraint("distinct_property", ""),
        constraint("distinct_hosts", "true"),
        constraint("=", ""),
        said_of_task(json!({ "constraints": [{ "operator": "distinct_hosts" }] })),
        said_of_task(json!({ "affinities": [{ "attribute": "a", "value": "b", "weight": 0 }] })),
        said_of_group(json!({ "spreads": [{ "attribute": "a", "targets": [
            { "value": "x", "percent": 60 }, { "value": "x", "percent": 60 }] }] })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/constraints/0/value: not a regular expression: unclosed group

    error /spec/groups/0/constraints/0/value: `< two` is not a version constraint, such as `>= 1.2, < 2.0`

    error /spec/groups/0/constraints/0/value: `>= 1.2` is not a constraint on a semantic version, such as `>= 1.2.0`

    error /spec/groups/0/constraints/0/value: `0` is not a number of allocations, at least 1


    error /spec/groups/0/constraints/0/value: `=` needs a value
    error /spec/groups/0/tasks/0/constraints/0/operator: `distinct_hosts` cannot be used here; write it in the group or the job: it is about allocations, not about one task
    error /spec/groups/0/tasks/0/affinities/0/weight: weight 0 is not between -100 and 100, or is 0; a positive weight prefers such nodes, a negative one avoids them
    error /spec/groups/0/spreads/0/targets/1/value: `x` is given twice
    error /spec/groups/0/spreads/0/targets: the targets add up to 120 percent
    ");
}

#[test]
fn networks_and_volumes() {
    let table = [
        said_of_group(json!({ "networks": [{}, {}] })),
        said_of_group(json!({ "networks": [{ "mode": "brige", "hostname": "x", "ports": [
            { "label": "a b" }, { "label": "x", "static": 80, "to": -2 }, { "label": "x", "static": 80 }] }] })),
        said_of_group(
            json!({ "volumes": [{ "name": "data", "type": "csi", "source": "x", "sticky": true }] }),
        ),
        said_of_group(json!({ "volumes": [
            { "name": "data", "accessMode": "multi-node-reader-only" },
            { "name": "data", "source": "x", "perAlloc": true }], "update": { "canary": 1 } })),
        said_of_task(json!({ "volumeMounts": [{ "volume": "data" }] })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/networks: a group has at most one network; put all ports into one
    error /spec/groups/0/networks/0/mode: unknown network mode `brige` (allowed: host, bridge, none, cni/<name>); did you mean `bridge`?
    error /spec/groups/0/networks/0/hostname: a host name needs network mode `bridge`
    error /spec/groups/0/networks/0/ports/0/label: `a b` cannot name a port; use letters, digits, `_` and `-`: it becomes part of environment variables
    error /spec/groups/0/networks/0/ports/1/to: -2 is not a port; 1 to 65535, or -1 for the same port
    error /spec/groups/0/networks/0/ports/2: there are two ports named `x`
    error /spec/groups/0/networks/0/ports/2/static: port 80 is also the port `x`
    error /spec/groups/0/volumes/0/sticky: only host volumes can be sticky
    error /spec/groups/0/volumes/0/attachmentMode: a csi volume needs it (allowed: file-system, block-device)
    error /spec/groups/0/volumes/0/accessMode: a csi volume needs it (allowed: single-node-reader-only, single-node-writer, multi-node-reader-only, multi-node-single-writer, multi-node-multi-writer)
    error /spec/groups/0/volumes/0/source: the source of the volume is missing
    error /spec/groups/0/volumes/0/accessMode: a host volume belongs to one node (allowed: single-node-writer, single-node-reader-only, single-node-single-writer, single-node-multi-writer)
    error /spec/groups/0/volumes/1/perAlloc: canaries run beside the old instances and would claim the same volumes
    error /spec/groups/0/volumes/1: there are two volumes named `data`
    error /spec/groups/0/tasks/0/volumeMounts/0/volume: unknown volume of the group `data`
    error /spec/groups/0/tasks/0/volumeMounts/0/destination: the destination of the mount is missing
    ");
}

#[test]
fn services_and_checks() {
    let service = |extra: Value| {
        let mut service = json!({ "provider": "nomad", "port": "http" });
        merge(&mut service, extra);
        said_of_group(json!({ "networks": [{ "ports": [{ "label": "http" }] }], "services": [service] }))
    };
    let check = |check: Value| service(json!({ "checks": [check] }));
    let table = [
        service(json!({ "port": "htpp" })),
        service(json!({ "port": "99999" })),
        service(json!({ "name": "my_service" })),
        service(json!({ "task": "wbe" })),
        check(json!({})),
        check(json!({ "type": "http", "interval": "500ms", "timeout": "2s" })),
        check(json!({ "type": "script", "interval": "10s", "timeout": "2s" })),
        check(json!({ "type": "http", "path": "/", "interval": "10s", "timeout": "2s" })),
        service(json!({ "connect": { "native": true, "gateway": {} } })),
        said_of_group(
            json!({ "services": [{ "provider": "nomad" }, { "provider": "consul", "name": "b" }] }),
        ),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/services/0/port: unknown port of the group's network `htpp` (allowed: http); did you mean `http`?
    error /spec/groups/0/services/0/port: 99999 is not a port; use 1 to 65535
    error /spec/groups/0/services/0/name: `my_service` cannot name a service; use at most 63 letters, digits and `-`, with a letter or digit at both ends
    error /spec/groups/0/services/0/task: unknown task of the group `wbe` (allowed: web); did you mean `web`?
    error /spec/groups/0/services/0/checks/0/interval: the check has no `interval`; such as `10s`
    error /spec/groups/0/services/0/checks/0/timeout: the check has no `timeout`; such as `10s`
    error /spec/groups/0/services/0/checks/0/type: the check has no `type` (allowed: http, tcp, grpc, script)
    error /spec/groups/0/services/0/checks/0/interval: 500ms is too short; use at least 1s
    error /spec/groups/0/services/0/checks/0/path: the path of the http check is missing
    error /spec/groups/0/services/0/checks/0/command: the command of the script check is missing
    error /spec/groups/0/services/0/checks/0/task: a script check of a group's service must say in which task it runs

    error /spec/groups/0/services/0/connect: the mesh is Consul's; use provider `consul`
    error /spec/groups/0/services/0/connect: give exactly one of `native`, `sidecarService` and `gateway`
    error /spec/groups/0/services: the services of a group have different providers; use one of them
    ");
}

#[test]
fn task_blocks() {
    let table = [
        said_of_task(json!({ "resources": { "cpu": 100, "cores": 2, "memory": 5, "memoryMax": 4 } })),
        said_of_task(
            json!({ "resources": { "devices": [{ "name": "a/b/c/d", "count": 0 }], "numa": { "devices": ["gpu"] } } }),
        ),
        said_of_task(json!({ "lifecycle": {} })),
        said_of_task(json!({ "lifecycle": { "hook": "poststop", "sidecar": true } })),
        said_of_task(json!({ "logs": { "maxFiles": 50 } })),
        said_of_task(json!({ "artifacts": [{ "destination": "../../etc" }] })),
        said_of_task(json!({ "templates": [{ "perms": "0888", "changeMode": "script" }] })),
        said_of_task(json!({ "templates": [{ "data": "x", "source": "y", "destination": "local/x" }] })),
        said_of_task(json!({ "identities": [{ "ttl": "0s", "changeMode": "script" }] })),
        said_of_task(json!({ "actions": [{ "name": "a" }, { "name": "a", "command": "x" }] })),
        said_of_task(json!({ "env": { "A=B": "x" } })),
        said_of_task(json!({ "dispatchPayload": { "file": "" } })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/groups/0/tasks/0/resources/cores: `cpu` and `cores` exclude each other; keep one of them
    error /spec/groups/0/tasks/0/resources/memory: 5 MB is too little; use at least 10 MB
    error /spec/groups/0/tasks/0/resources/memoryMax: it must be at least `memory` (5 MB); or -1 for no limit
    error /spec/groups/0/tasks/0/resources/devices/0/name: `a/b/c/d` is not the name of a device; write `type`, `vendor/type` or `vendor/type/model`
    error /spec/groups/0/tasks/0/resources/devices/0/count: ask for at least one device
    error /spec/groups/0/tasks/0/resources/numa/devices/0: unknown device of the task `gpu` (allowed: a/b/c/d)
    error /spec/groups/0/tasks/0/lifecycle/hook: the lifecycle has no hook (allowed: prestart, poststart, poststop)
    error /spec/groups/0/tasks: every task has a lifecycle, so nothing is the main task; leave `lifecycle` out of at least one
    error /spec/groups/0/tasks/0/lifecycle/sidecar: after the main tasks there is nothing to run beside
    error /spec/groups/0/tasks/0/logs: 500 MB of logs do not fit into the group's disk of 300 MB; make `ephemeralDisk.size` larger or the logs smaller
    error /spec/groups/0/tasks/0/artifacts/0/source: the source of the artifact is missing
    error /spec/groups/0/tasks/0/artifacts/0/destination: `../../etc` leaves the allocation's directory
    error /spec/groups/0/tasks/0/templates/0: the template has no text; give `data` (the text) or `source` (a file)
    error /spec/groups/0/tasks/0/templates/0/destination: the destination of the template is missing
    error /spec/groups/0/tasks/0/templates/0/changeScript: change mode `script` needs a `changeScript`
    error /spec/groups/0/tasks/0/templates/0/perms: `0888` is not a file mode; such as `0644`
    error /spec/groups/0/tasks/0/templates/0: the template has `data` as well as `source`; keep one of them
    error /spec/groups/0/tasks/0/identities/0/changeMode: change mode `script` is for templates only (allowed: noop, restart, signal)
    error /spec/groups/0/tasks/0/identities/0/ttl: a token valid for 0s is never valid
    error /spec/groups/0/tasks/0/actions/0/command: the command of the action is missing
    error /spec/groups/0/tasks/0/actions/1: there are two actions named `a`
    error /spec/groups/0/tasks/0/env/A=B: `A=B` cannot be an environment variable
    error /spec/groups/0/tasks/0/dispatchPayload/file: the file for the payload is missing
    ");
}

#[test]
fn calendars() {
    let periodic = |crons: Value| {
        said(json!({ "type": "batch", "periodic": { "crons": crons }, "groups": [group(json!({}))] }))
    };
    let table = [
        periodic(json!([])),
        periodic(json!([
            "*/15 * * * *",
            "@daily",
            "0 3 * * MON-FRI",
            "0 0 12 ? * 5L 2030",
            "0 0 LW * *",
            "0 0 * * mon#2"
        ])),
        periodic(json!(["* * * *", "61 * * * *", "@dayly", "0 0 * * FUN", "*/0 * * * *"])),
        said(json!({ "periodic": { "crons": ["@daily"], "timeZone": "Mars / Olympus" },
            "parameterized": { "metaRequired": ["a"], "metaOptional": ["a"] }, "groups": [group(json!({}))] })),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    error /spec/periodic/crons: no calendar expression is given; such as `0 3 * * *` or `@daily`

    error /spec/periodic/crons/0: `* * * *` has 4 fields; write 5 (minute hour day month weekday), 6 (with a year) or 7 (with seconds and a year)
    error /spec/periodic/crons/1: `61` is not a minute (in `61 * * * *`)
    error /spec/periodic/crons/2: unknown calendar word `@dayly` (allowed: @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly); did you mean `@daily`?
    error /spec/periodic/crons/3: `FUN` is not a day of the week (in `0 0 * * FUN`)
    error /spec/periodic/crons/4: `*/0` is not a minute (in `*/0 * * * *`)
    error /spec/periodic: a service job cannot be periodic; only batch and sysbatch jobs end, so only they can be started again and again
    error /spec/periodic/timeZone: `Mars / Olympus` is not the name of a time zone; such as `UTC` or `Europe/Berlin`
    error /spec/parameterized: a service job cannot be parameterized; only batch and sysbatch jobs end, so only they can be started again and again
    error /spec/parameterized/metaOptional/0: `a` is required as well as optional
    ");
}

proptest! {
    #[test]
    fn any_job_can_be_judged(name in ".{0,12}", spec in any_job()) {
        for problem in job(&name, &spec) {
            prop_assert!(problem.pointer.starts_with("/spec") || problem.pointer == "/metadata/name");
            prop_assert!(!problem.message.is_empty() && !problem.message.contains('\n'), "{}", problem.message);
        }
    }
}

#[test]
fn root_behind_the_walls_of_exec_is_told_before() {
    let as_user = |driver: &str, user: &str| {
        said_of_task(json!({ "driver": driver, "config": { "command": "x" }, "user": user }))
    };
    for user in ["root", "0", "00", "+0", "0:0", "1000:0", "web:root", "root:web"] {
        let said = as_user("exec", user);
        assert!(said.contains(&format!("/user: `{user}` is root")), "{said}");
        assert!(!as_user("raw_exec", user).contains("/user"));
    }
    for user in ["web", "1000", "1000:1000", "${meta.user}", "rooty"] {
        assert!(!as_user("exec", user).contains("/user"), "{user}");
    }
}
