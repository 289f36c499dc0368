//! What a jailed task cannot see or do. Each probe is first shown to work without the walls.

use encamp::drivers::{Signal, contract::StartError};
use serde_json::json;

use crate::bed::{Bed, Kind};

async fn said(kind: Kind, script: &str) -> Option<String> {
    let mut bed = Bed::new(kind).await?;
    let id = bed.start("probe", script).await;
    bed.exit_of(&id).await;
    Some(bed.log(&id, "stdout").trim().to_owned())
}

/// The answers of a script outside and inside the walls.
async fn both(script: &str) -> Option<(String, String)> {
    Some((said(Kind::RawExec, script).await?, said(Kind::Exec, script).await?))
}

#[tokio::test]
async fn the_hosts_files_are_out_of_sight() {
    for path in ["/root", "/home", "/etc/shadow", "/var/lib", "/sys/kernel", "/boot"] {
        let Some((outside, inside)) = both(&format!("ls -d {path} 2>/dev/null || echo hidden")).await else {
            return;
        };
        assert_eq!(inside, "hidden", "{path}");
        assert_eq!(outside, path, "the probe works outside");
    }
}

#[tokio::test]
async fn the_hosts_processes_are_out_of_sight() {
    let own = std::process::id();
    let Some((outside, inside)) = both(&format!("ls /proc | grep -cx {own}")).await else { return };
    assert_eq!((outside.as_str(), inside.as_str()), ("1", "0"));
    let Some(inside) = said(Kind::Exec, "ls /proc | grep -c '^[0-9]'").await else { return };
    assert!(inside.parse::<u32>().unwrap() <= 5, "{inside} processes seen");
}

#[tokio::test]
async fn no_rights_are_left() {
    let status = "grep -E '^(Cap|NoNewPrivs|Uid|Groups)' /proc/self/status | tr -s '\\t ' ' '";
    let Some(inside) = said(Kind::Exec, status).await else { return };
    insta::assert_snapshot!(inside, @r"
    Uid: 65534 65534 65534 65534
    Groups: 
    CapInh: 0000000000000000
    CapPrm: 0000000000000000
    CapEff: 0000000000000000
    CapBnd: 0000000000000000
    CapAmb: 0000000000000000
    NoNewPrivs: 1
    ");
}

#[tokio::test]
async fn forbidden_deeds_fail() {
    let deeds = [
        "touch /usr/bin/planted",
        "touch /etc/passwd",
        "touch /planted",
        "mount -t tmpfs none /tmp",
        "mknod /tmp/disk b 8 0",
        "hostname owned",
        "chroot /usr /bin/true",
        "echo 1 > /proc/sys/kernel/panic",
        "echo h > /proc/sysrq-trigger",
        "cat /dev/mem",
        "chown 0 /local",
        "renice -n -5 -p $$",
        "kill -9 1 && sleep 1",
        "cp /bin/sleep /secrets/s && chmod +x /secrets/s && /secrets/s 0",
    ];
    for deed in deeds {
        let Some(inside) =
            said(Kind::Exec, &format!("({deed}) >/dev/null 2>&1 && echo done || echo refused")).await
        else {
            return;
        };
        let harmless = deed == "kill -9 1 && sleep 1";
        assert_eq!(inside, if harmless { "done" } else { "refused" }, "{deed}");
    }
}

#[tokio::test]
async fn the_hosts_cgroups_and_descriptors_are_out_of_reach() {
    let Some(groups) = said(Kind::Exec, "cut -d: -f3 /proc/self/cgroup | sort -u").await else { return };
    assert!(!groups.contains("encamp"), "{groups}");
    let Some(open) = said(Kind::Exec, "ls /proc/self/fd | tr '\\n' ' '").await else { return };
    assert_eq!(open, "0 1 2 3", "3 is the listing itself");
}

#[tokio::test]
async fn what_a_program_needs_is_there() {
    let script = "echo a > /local/f; echo b > /tmp/f; echo c > /alloc/data/f; echo d > /secrets/f; cat /*/f /alloc/data/f \
        | tr -d '\\n'; echo; head -c4 /dev/urandom | wc -c; test -c /dev/null && test -d /dev/shm && id -un; ls /etc/ssl >/dev/null && echo ssl";
    let Some(inside) = said(Kind::Exec, script).await else { return };
    assert_eq!(inside, "adbc\n4\nnobody\nssl");
}

#[tokio::test]
async fn a_fork_bomb_stops_at_its_limit() {
    let script = "i=0; while [ $i -lt 1500 ]; do sleep 600 & i=$((i+1)); done 2>/dev/null; echo survived";
    let Some(mut bed) = Bed::new(Kind::Exec).await else { return };
    let mut launch = bed.launch("bomb", script);
    launch.limits.memory_mb = 1024;
    let id = launch.id.clone();
    bed.driver().start(launch).await.unwrap();
    let exit = bed.exit_of(&id).await;
    assert!(!exit.is_success(), "the shell could fork on: {exit:?}");
}

#[tokio::test]
async fn where_root_is_denied_no_driver_runs_a_task_as_root() {
    let Some(bed) = Bed::new(Kind::RawExec).await else { return };
    let [raw_exec, docker] = bed.drivers_denying_root().await;
    let table = [
        (&raw_exec, json!({"command": "/bin/true"}), None, "the job names no user"),
        (&raw_exec, json!({"command": "/bin/true"}), Some("+0"), "it is root"),
        (&raw_exec, json!({"command": "/bin/true"}), Some("nobody:root"), "in the group of root"),
        (&docker, json!({"image": "i"}), Some("00:33"), "it is root"),
        (&docker, json!({"image": "i"}), Some("1000:0"), "in the group of root"),
        (&docker, json!({"image": "i"}), Some("toor"), "no user \"toor\""),
        (&docker, json!({"image": "i", "group_add": ["0"]}), None, "group_add = [\"0\"]"),
    ];
    for (driver, config, user, words) in table {
        let mut launch = bed.launch("asking", "");
        launch.config = config.as_object().unwrap().clone();
        launch.user = user.map(str::to_owned);
        let refused = driver.start(launch).await.unwrap_err();
        assert!(matches!(&refused, StartError::Fatal(text) if text.contains(words)), "{words}: {refused:?}");
    }
    let mut launch = bed.launch("allowed", "exit 0");
    launch.user = Some("nobody".to_owned());
    let id = launch.id.clone();
    assert!(!raw_exec.start(launch).await.unwrap().already);
    raw_exec.stop(&id, Signal::TERM, std::time::Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn what_the_operator_forbids_is_refused_by_name() {
    let Some(bed) = Bed::new(Kind::Exec).await else { return };
    let table = [
        (json!({"cap_add": ["SYS_ADMIN"]}), None, "capability \"SYS_ADMIN\""),
        (json!({"pid_mode": "host"}), None, "pid_mode"),
        (json!({"ipc_mode": "host"}), None, "ipc_mode"),
        (json!({}), Some("root"), "user \"root\""),
        (json!({}), Some("0:0"), "user \"0:0\": it is root"),
        (json!({}), Some("00"), "it is root"),
        (json!({}), Some("+0"), "it is root"),
        (json!({}), Some("root:nogroup"), "it is root"),
        (json!({}), Some("nobody:root"), "in the group of root"),
        (json!({}), Some("65534:0"), "in the group of root"),
        (json!({}), Some("no-such-user"), "no user \"no-such-user\""),
    ];
    for (more, user, words) in table {
        let mut launch = bed.launch("asking", "exit 0");
        launch.config.extend(more.as_object().unwrap().clone());
        launch.user = user.map(str::to_owned);
        let refused = bed.driver().start(launch).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(bed.driver().running().await.unwrap(), []);
}
