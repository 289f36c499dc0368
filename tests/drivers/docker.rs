//! What containers promise beyond the contract.

use std::{
    io::Read as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use encamp::drivers::{
    Launch, TaskId,
    contract::{Ending, PortMap, StartError, TaskState},
};

use crate::{
    bed::Bed,
    common::docker::{Dockerd, IMAGE},
};

fn daemon() -> Option<Arc<Mutex<Dockerd>>> {
    Dockerd::start().map(|daemon| Arc::new(Mutex::new(daemon)))
}

/// Asks the daemon itself about a task's container.
fn inspect(daemon: &Arc<Mutex<Dockerd>>, id: &TaskId, format: &str) -> String {
    let daemon = daemon.lock().unwrap();
    let label = format!("label=dev.encamp.task={id}");
    let container = daemon.docker(&["ps", "-aq", "--no-trunc", "--filter", &label]);
    daemon.docker(&["inspect", "--format", format, &container])
}

fn with(launch: &Launch, more: &serde_json::Value) -> Launch {
    let mut launch = launch.clone();
    launch.config.extend(more.as_object().unwrap().clone());
    launch
}

#[tokio::test]
async fn a_daemon_that_crashes_and_returns_changes_no_task() {
    let Some(daemon) = daemon() else { return };
    let mut bed = Bed::docker(&daemon).await;
    let mut launch = bed.launch("steady", "");
    let (pipe, inside) = (bed.pipe("steady"), bed.seen_shared("steady"));
    // Opened once: a pipe opened again while its writer has not yet closed it would be at its end.
    let script =
        format!("exec 3<> {inside}/pipe; echo before; read line <&3; echo $line; read line <&3; exit 6");
    launch.config.insert("args".into(), serde_json::json!(["-c", script]));
    bed.driver().start(launch.clone()).await.unwrap();
    bed.line(&launch.id, "before").await;
    let same = "{{.Id}} {{.State.Pid}} {{.State.StartedAt}}";
    let before = inspect(&daemon, &launch.id, same);
    daemon.lock().unwrap().kill_9();
    assert!(bed.driver().running().await.is_err(), "an absent daemon is not an empty one");
    assert!(!bed.driver().fingerprint().await.healthy);
    daemon.lock().unwrap().restart();
    bed.resynced().await;
    assert_eq!(inspect(&daemon, &launch.id, same), before);
    assert!(bed.driver().start(launch.clone()).await.unwrap().already);
    std::fs::write(&pipe, "after\n").unwrap();
    bed.line(&launch.id, "after").await;
    std::fs::write(&pipe, "end\n").unwrap();
    assert_eq!(bed.exit_of(&launch.id).await.ending, Ending::Code(6));
    assert_eq!(bed.log(&launch.id, "stdout"), "before\nafter\n", "no line is lost or doubled");
}

#[tokio::test]
async fn the_daemon_gets_what_the_job_asks_and_the_operator_allows() {
    let Some(daemon) = daemon() else { return };
    let mut bed = Bed::docker(&daemon).await;
    let plain = bed.launch("asking", "exit 0");
    let refused = [
        (serde_json::json!({"privileged": true}), "`privileged` needs"),
        (serde_json::json!({"pid_mode": "host"}), "`pid_mode = \"host\"`"),
        (serde_json::json!({"ipc_mode": "host"}), "`ipc_mode = \"host\"`"),
        (serde_json::json!({"network_mode": "container:other"}), "network of another container"),
        (serde_json::json!({"security_opt": ["seccomp=unconfined"]}), "`security_opt` needs"),
        (serde_json::json!({"devices": [{"host_path": "/dev/mem"}]}), "unknown key `devices`"),
        (serde_json::json!({"cap_add": ["SYS_ADMIN"]}), "capability \"SYS_ADMIN\""),
        (serde_json::json!({"volumes": ["/etc:/host"]}), "leads out of the allocation"),
        (serde_json::json!({"volumes": ["../../..:/host"]}), "leads out of the allocation"),
        (serde_json::json!({"mount": [{"type": "volume", "source": "v", "target": "/v"}]}), "docker volumes"),
        (serde_json::json!({"labels": {"dev.encamp.task": "a/b/c"}}), "is reserved"),
        (serde_json::json!({"ports": ["http"]}), "no port \"http\""),
        (serde_json::json!({"logging": {"type": "syslog"}}), "cannot be read back"),
        (serde_json::json!({"cap_ad": []}), "did you mean `cap_add`"),
    ];
    for (more, words) in refused {
        let refusal = bed.driver().start(with(&plain, &more)).await.unwrap_err();
        assert!(matches!(&refusal, StartError::Fatal(text) if text.contains(words)), "{refusal:?}");
    }
    assert_eq!(bed.driver().running().await.unwrap(), [], "nothing refused reached the daemon");
    let more = serde_json::json!({"hostname": "h1", "work_dir": "/tmp", "labels": {"team": "core"}, "cap_drop": ["CHOWN"],
        "readonly_rootfs": true, "ulimit": {"nofile": "64:128"}, "shm_size": 1_000_000, "pids_limit": 50, "volumes": ["local:/mine:ro"]});
    let mut launch = with(&plain, &more);
    launch.limits.cpu_mhz = 750;
    bed.driver().start(launch.clone()).await.unwrap();
    bed.exit_of(&launch.id).await;
    let seen = inspect(
        &daemon,
        &launch.id,
        "{{.Config.Hostname}} {{.Config.WorkingDir}} {{.Config.Labels.team}} \
        {{.HostConfig.CpuShares}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CapDrop}} \
        {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Ulimits}} {{.HostConfig.ShmSize}} {{.HostConfig.PidsLimit}} {{.HostConfig.Privileged}}",
    );
    assert_eq!(
        seen,
        "h1 /tmp core 750 67108864 67108864 [CHOWN NET_RAW] true [map[Hard:128 Name:nofile Soft:64]] 1000000 50 false"
    );
}

#[tokio::test]
async fn the_last_lines_of_a_flood_arrive() {
    let Some(daemon) = daemon() else { return };
    let mut bed = Bed::docker(&daemon).await;
    // The daemon turns its files over many times, and faster than anybody follows.
    let logging =
        serde_json::json!({"logging": {"type": "json-file", "config": {"max-file": "2", "max-size": "64k"}}});
    let script = "/bin/busybox awk 'BEGIN { for (i = 1; i <= 100000; i++) print \"line\", i }'; echo the end";
    let launch = with(&bed.launch("flood", script), &logging);
    bed.driver().start(launch.clone()).await.unwrap();
    bed.exit_of(&launch.id).await;
    let log = bed.log(&launch.id, "stdout");
    assert!(log.ends_with("line 100000\nthe end\n"), "{:?}", &log[log.len().saturating_sub(60)..]);
}

#[tokio::test]
async fn foreign_containers_are_left_alone() {
    let Some(daemon) = daemon() else { return };
    let bed = Bed::docker(&daemon).await;
    let other = Bed::docker(&daemon).await;
    let id = other.start("theirs", "sleep 600").await;
    daemon.lock().unwrap().docker(&[
        "run",
        "-d",
        "--name",
        "mine",
        "--network",
        "none",
        IMAGE,
        "/bin/sleep",
        "600",
    ]);
    assert_eq!(bed.driver().running().await.unwrap(), []);
    bed.stop(&id, Duration::ZERO).await;
    bed.driver().forget(&id).await.unwrap();
    assert_eq!(other.state_of(&id).await, Some(TaskState::Running));
    assert_eq!(daemon.lock().unwrap().docker(&["inspect", "--format", "{{.State.Running}}", "mine"]), "true");
}

#[tokio::test]
async fn a_missing_image_is_explained_and_may_come_later() {
    let Some(daemon) = daemon() else { return };
    let mut bed = Bed::docker(&daemon).await;
    let launch = with(&bed.launch("early", "exit 0"), &serde_json::json!({"image": "127.0.0.1:1/none:1"}));
    let refused = bed.driver().start(launch.clone()).await.unwrap_err();
    let words = "image \"127.0.0.1:1/none:1\" is not on this node and cannot be pulled";
    assert!(matches!(&refused, StartError::Recoverable(text) if text.contains(words)), "{refused:?}");
    assert_eq!(bed.driver().running().await.unwrap(), []);
    daemon.lock().unwrap().docker(&["tag", IMAGE, "127.0.0.1:1/none:1"]);
    bed.driver().start(launch.clone()).await.unwrap();
    assert!(bed.exit_of(&launch.id).await.is_success());
}

#[tokio::test]
async fn ports_are_published_on_the_host() {
    let Some(daemon) = Dockerd::start_with_network() else { return };
    let daemon = Arc::new(Mutex::new(daemon));
    let bed = Bed::docker(&daemon).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = "while :; do echo served | nc -l -p 8080; done";
    let mut launch = with(&bed.launch("server", script), &serde_json::json!({"ports": ["http"]}));
    launch.ports = vec![PortMap {
        label: "http".into(),
        host_ip: "127.0.0.1".parse().unwrap(),
        host_port: port,
        to: Some(8080),
    }];
    let started = bed.driver().start(launch.clone()).await.unwrap();
    assert!(started.address.is_some(), "a container on a bridge has an address of its own");
    let answer = async {
        loop {
            let mut text = String::new();
            let asked = std::net::TcpStream::connect(("127.0.0.1", port))
                .and_then(|mut stream| stream.read_to_string(&mut text));
            if asked.is_ok() && text == "served\n" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::bed::PATIENCE, answer).await.expect("the port answers");
    let second = with(&bed.launch("rival", script), &serde_json::json!({"ports": ["http"]}));
    let refused = bed.driver().start(Launch { ports: launch.ports.clone(), ..second }).await.unwrap_err();
    assert!(matches!(&refused, StartError::Recoverable(text) if text.contains("port")), "{refused:?}");
    assert_eq!(bed.driver().running().await.unwrap().len(), 1, "what did not start is gone");
}
