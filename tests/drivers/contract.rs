//! The promises that every driver keeps.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use encamp::drivers::{
    Signal,
    contract::{
        Ending, ExecInput, ExecOutput, ExecSession, SignalFailure, StartError, TaskState, TerminalSize,
    },
};

use crate::{
    bed::{Bed, Kind},
    common::docker::Dockerd,
};

/// One test per promise and process driver; one for all promises of docker, whose daemon takes seconds to start.
macro_rules! every_driver {
    ($($promise:ident),* $(,)?) => {
        mod raw_exec { $( #[tokio::test] async fn $promise() { run(crate::bed::Kind::RawExec, super::$promise).await } )* use super::run; }
        mod exec { $( #[tokio::test] async fn $promise() { run(crate::bed::Kind::Exec, super::$promise).await } )* use super::run; }
        #[tokio::test]
        async fn docker_keeps_every_promise() {
            let Some(daemon) = Dockerd::start() else { return };
            let daemon = Arc::new(Mutex::new(daemon));
            $(
                eprintln!("docker: {}", stringify!($promise));
                $promise(Bed::docker(&daemon).await).await;
            )*
        }
    };
}

every_driver!(
    exits_are_told,
    signals_reach_the_task,
    starting_twice_starts_once,
    a_new_incarnation_waits_for_the_old,
    output_lands_in_files,
    a_polite_stop,
    a_stop_that_must_kill,
    children_end_with_the_task,
    the_agent_comes_and_goes,
    an_exit_nobody_saw_is_told_later,
    forgetting,
    wrong_config_is_explained,
    a_missing_program_leaves_nothing,
    memory_is_limited,
    environment_and_folders,
    commands_run_inside,
    a_terminal_is_one,
    use_is_measured,
);

async fn run(kind: Kind, promise: impl AsyncFnOnce(Bed)) {
    if let Some(bed) = Bed::new(kind).await {
        promise(bed).await;
    }
}

async fn exits_are_told(mut bed: Bed) {
    for (task, script, ending) in [
        ("well", "exit 0", Ending::Code(0)),
        ("ill", "exit 7", Ending::Code(7)),
        ("shot", "kill -9 $$", Ending::Signal(9)),
    ] {
        let id = bed.start(task, script).await;
        let exit = bed.exit_of(&id).await;
        assert_eq!((exit.ending, exit.oom), (ending, false), "{task}");
        assert_eq!(bed.state_of(&id).await, Some(TaskState::Exited(exit)));
    }
}

async fn signals_reach_the_task(mut bed: Bed) {
    let id = bed
        .start("listener", "trap 'echo heard; exit 5' USR1; echo ready; while :; do sleep 0.01; done")
        .await;
    bed.line(&id, "ready").await;
    bed.driver().signal(&id, "SIGUSR1".parse().unwrap()).await.unwrap();
    assert_eq!(bed.exit_of(&id).await.ending, Ending::Code(5));
    assert_eq!(bed.log(&id, "stdout"), "ready\nheard\n");
    assert_eq!(bed.driver().signal(&id, Signal::TERM).await, Err(SignalFailure::NotRunning));
}

async fn starting_twice_starts_once(mut bed: Bed) {
    let launch = bed.launch("twice", "echo started; read never < /dev/zero");
    let (one, other) = tokio::join!(bed.driver().start(launch.clone()), bed.driver().start(launch.clone()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.already != other.already && one.at == other.at);
    bed.line(&launch.id, "started").await;
    bed.stop(&launch.id, Duration::ZERO).await;
    bed.exit_of(&launch.id).await;
    assert!(
        bed.driver().start(launch.clone()).await.unwrap().already,
        "an ended incarnation is not run again"
    );
    assert_eq!(bed.log(&launch.id, "stdout"), "started\n");
}

async fn a_new_incarnation_waits_for_the_old(mut bed: Bed) {
    let mut launch = bed.launch("again", "echo run; read never < /dev/zero");
    bed.driver().start(launch.clone()).await.unwrap();
    bed.line(&launch.id, "run").await;
    launch.incarnation = 1;
    let refused = bed.driver().start(launch.clone()).await.unwrap_err();
    assert!(matches!(&refused, StartError::StillAlive(text) if text.contains("alive")), "{refused:?}");
    bed.stop(&launch.id, Duration::ZERO).await;
    bed.exit_of(&launch.id).await;
    assert!(!bed.driver().start(launch.clone()).await.unwrap().already);
    let tasks = bed.driver().running().await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.incarnation).collect::<Vec<_>>(), [1]);
    bed.stop(&launch.id, Duration::ZERO).await;
    bed.exit_of(&launch.id).await;
}

async fn output_lands_in_files(mut bed: Bed) {
    let mut launch = bed.launch(
        "loud",
        "i=0; while [ $i -lt 70000 ]; do echo line $i of a longer text, out; i=$((i+1)); done; echo oops >&2",
    );
    launch.log.max_file_size_mb = 1;
    launch.log.max_files = 2;
    let id = launch.id.clone();
    bed.driver().start(launch).await.unwrap();
    assert!(bed.exit_of(&id).await.is_success());
    if bed.kind == Kind::Docker {
        // The daemon hands out a flood slower than it ends; the news of the end waits for it only a while.
        bed.line_of(&id, "stdout", "line 69999 of a longer text, out").await;
        bed.line_of(&id, "stderr", "oops").await;
    }
    assert_eq!(bed.log(&id, "stderr"), "oops\n");
    let out = bed.log(&id, "stdout");
    assert!(
        out.ends_with("line 69999 of a longer text, out\n") && out.starts_with("line "),
        "whole lines only"
    );
    let logs = bed.folders("loud").logs();
    let mut files: Vec<_> = std::fs::read_dir(logs).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["loud.stderr.0", "loud.stdout.1", "loud.stdout.2"].map(std::ffi::OsString::from));
}

async fn a_polite_stop(mut bed: Bed) {
    let id =
        bed.start("polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done").await;
    bed.line(&id, "ready").await;
    bed.stop(&id, Duration::from_mins(10)).await;
    assert_eq!(bed.exit_of(&id).await.ending, Ending::Code(3));
    assert_eq!(bed.log(&id, "stdout"), "ready\nbye\n");
    bed.stop(&id, Duration::ZERO).await;
}

async fn a_stop_that_must_kill(mut bed: Bed) {
    let id = bed.start("stubborn", "trap 'echo no' TERM; echo ready; while :; do sleep 0.01; done").await;
    bed.line(&id, "ready").await;
    bed.stop(&id, Duration::from_mins(10)).await;
    bed.line(&id, "no").await;
    bed.stop(&id, Duration::from_millis(50)).await;
    assert_eq!(bed.exit_of(&id).await.ending, Ending::Signal(9));
}

async fn children_end_with_the_task(mut bed: Bed) {
    let mut launch = bed.launch("parent", "");
    let (pipe, inside) = (bed.pipe("parent"), bed.seen_shared("parent"));
    let beat = pipe.with_file_name("data").join("beat");
    let child = format!("trap '' TERM; i=0; while :; do i=$((i+1)); echo $i > {inside}/data/beat; done");
    let script = format!("({child}) & read line < {inside}/pipe");
    launch.config.insert("args".into(), serde_json::json!(["-c", script]));
    bed.driver().start(launch.clone()).await.unwrap();
    bed.written(&beat).await;
    std::fs::write(pipe, "end\n").unwrap();
    assert!(bed.exit_of(&launch.id).await.is_success());
    let last = std::fs::read_to_string(&beat).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(std::fs::read_to_string(&beat).unwrap(), last, "a child outlived its task");
}

async fn the_agent_comes_and_goes(mut bed: Bed) {
    let id = bed.start("steady", "echo $$ begins; trap 'exit 4' TERM; while :; do sleep 0.01; done").await;
    let before = bed.driver().running().await.unwrap();
    for _ in 0..3 {
        bed.restart_agent().await;
        assert_eq!(bed.driver().running().await.unwrap(), before);
    }
    assert!(bed.driver().start(bed.launch("steady", "exit 1")).await.unwrap().already);
    bed.stop(&id, Duration::from_mins(10)).await;
    assert_eq!(bed.exit_of(&id).await.ending, Ending::Code(4));
    assert_eq!(bed.log(&id, "stdout").lines().count(), 1);
}

async fn an_exit_nobody_saw_is_told_later(mut bed: Bed) {
    let mut launch = bed.launch("alone", "");
    let (pipe, inside) = (bed.pipe("alone"), bed.seen_shared("alone"));
    let script = format!("read line < {inside}/pipe; echo $line; echo told > {inside}/data/told; exit 9");
    launch.config.insert("args".into(), serde_json::json!(["-c", script]));
    bed.driver().start(launch.clone()).await.unwrap();
    bed.stop_agent();
    std::fs::write(&pipe, "alone\n").unwrap();
    bed.written(&pipe.with_file_name("data").join("told")).await;
    bed.start_agent().await;
    let ending = match bed.state_of(&launch.id).await {
        Some(TaskState::Exited(exit)) => exit.ending,
        Some(TaskState::Running) | None => bed.exit_of(&launch.id).await.ending,
    };
    assert_eq!(ending, Ending::Code(9));
    bed.line(&launch.id, "alone").await;
}

async fn forgetting(mut bed: Bed) {
    let id = bed.start("brief", "read never < /dev/zero").await;
    bed.driver().forget(&id).await.unwrap();
    assert_eq!(bed.state_of(&id).await, Some(TaskState::Running), "a live task is left alone");
    bed.stop(&id, Duration::ZERO).await;
    bed.exit_of(&id).await;
    bed.driver().forget(&id).await.unwrap();
    bed.driver().forget(&id).await.unwrap();
    assert_eq!(bed.state_of(&id).await, None);
    assert!(!bed.driver().start(bed.launch("brief", "exit 0")).await.unwrap().already);
    bed.exit_of(&id).await;
}

async fn wrong_config_is_explained(bed: Bed) {
    let mut launch = bed.launch("wrong", "exit 0");
    launch.config.insert("arsg".into(), serde_json::json!([]));
    let refused = bed.driver().start(launch).await.unwrap_err();
    assert!(
        matches!(&refused, StartError::Fatal(text) if text.contains("did you mean `args`")),
        "{refused:?}"
    );
    assert_eq!(bed.driver().running().await.unwrap(), []);
}

async fn a_missing_program_leaves_nothing(bed: Bed) {
    let mut launch = bed.launch("missing", "");
    launch.config.insert("command".into(), serde_json::json!("/no/such/program"));
    launch.config.remove("init");
    let refused = bed.driver().start(launch).await.unwrap_err();
    assert!(matches!(&refused, StartError::Fatal(text) if text.contains("/no/such/program")), "{refused:?}");
    assert_eq!(bed.driver().running().await.unwrap(), []);
}

async fn memory_is_limited(mut bed: Bed) {
    if bed.kind == Kind::RawExec {
        return;
    }
    let id = bed.start("greedy", "echo ready; tail /dev/zero").await;
    let exit = bed.exit_of(&id).await;
    assert!(exit.oom, "{exit:?}");
    assert_ne!(exit.ending, Ending::Code(0));
}

async fn environment_and_folders(mut bed: Bed) {
    let id = bed.start("curious", "echo $GREETING; pwd; ls -d local secrets").await;
    assert!(bed.exit_of(&id).await.is_success(), "{}", bed.log(&id, "stderr"));
    let root = bed.folders("curious").task("curious").root;
    let home = if bed.kind == Kind::RawExec { root.display().to_string() } else { "/".to_owned() };
    assert_eq!(bed.log(&id, "stdout"), format!("hello\n{home}\nlocal\nsecrets\n"));
}

/// All that a session says: output, errors, status.
async fn heard(mut session: ExecSession) -> (String, String, Option<i32>) {
    let (mut out, mut err, mut code) = (Vec::new(), Vec::new(), None);
    while let Some(piece) = session.output.recv().await {
        match piece {
            ExecOutput::Stdout(bytes) => out.extend_from_slice(&bytes),
            ExecOutput::Stderr(bytes) => err.extend_from_slice(&bytes),
            ExecOutput::Exit(status) => code = Some(status),
        }
    }
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
}

async fn commands_run_inside(bed: Bed) {
    let id = bed.start("host", "sleep 600").await;
    let who = "cat; echo $GREETING; id -u; grep -c . /proc/self/status >/dev/null && ls -d local; echo no >&2; exit 3";
    let session = bed.session(&id, who, None).await;
    session.input.send(ExecInput::Bytes("typed\n".into())).await.unwrap();
    session.input.send(ExecInput::End).await.unwrap();
    let user = if bed.kind == Kind::Exec { 65534 } else { 0 };
    let (out, err, code) = heard(session).await;
    assert_eq!((out, err.as_str(), code), (format!("typed\nhello\n{user}\nlocal\n"), "no\n", Some(3)));
    if bed.kind == Kind::Exec {
        let rights =
            "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '[:space:]'; ls -d /root";
        let (out, _, _) = heard(bed.session(&id, rights, None).await).await;
        assert_eq!(out, "CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1");
    }
    bed.stop(&id, Duration::ZERO).await;
}

async fn a_terminal_is_one(bed: Bed) {
    let id = bed.start("host", "sleep 600").await;
    let size = TerminalSize { columns: 77, rows: 33 };
    let session = bed.session(&id, "read line; test -t 0 && echo terminal $line; exit 4", Some(size)).await;
    session.input.send(ExecInput::Resize(TerminalSize { columns: 80, rows: 24 })).await.unwrap();
    session.input.send(ExecInput::Bytes("here\n".into())).await.unwrap();
    let (out, _, code) = heard(session).await;
    assert!(out.contains("terminal here") && code == Some(4), "{out:?} {code:?}");
    bed.stop(&id, Duration::ZERO).await;
}

async fn use_is_measured(bed: Bed) {
    let id = bed.start("busy", "echo busy; while :; do :; done").await;
    bed.line(&id, "busy").await;
    let used = bed.driver().as_stats().unwrap().stats(&id).await.unwrap();
    assert!(used.cpu_nanoseconds > 0 && used.memory_bytes > 0, "{used:?}");
    bed.stop(&id, Duration::ZERO).await;
}
