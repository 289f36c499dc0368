//! What supervised processes promise beyond the contract.

use std::time::{Duration, Instant};

use encamp::drivers::{
    Driver as _, Signal,
    contract::{Ending, StartError, TaskState},
    process::procfs::ProcessRef,
};

use crate::bed::{Bed, Kind, PATIENCE};

const BOTH: [Kind; 2] = [Kind::RawExec, Kind::Exec];

#[tokio::test]
async fn a_killed_supervisor_is_noticed_and_its_task_ended() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("watched", "(while :; do sleep 0.01; done) & while :; do sleep 0.01; done").await;
        let record = bed.state(&id).record().unwrap();
        assert!(record.supervisor.signal(Signal::KILL).unwrap());
        let exit = bed.exit_of(&id).await;
        assert_eq!(exit.ending, Ending::Unseen, "{kind:?}");
        assert!(exit.message.as_ref().unwrap().contains("supervisor was killed"));
        assert!(!record.task.unwrap().is_alive());
        assert_eq!(record.cgroup.unwrap().processes(), Vec::<i32>::new());
        assert_eq!(bed.state_of(&id).await, Some(TaskState::Exited(exit)));
    }
}

#[tokio::test]
async fn agent_and_supervisor_killed_together_leave_no_task_and_no_lie() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("watched", "while :; do sleep 0.01; done").await;
        let record = bed.state(&id).record().unwrap();
        bed.stop_agent();
        record.supervisor.signal(Signal::KILL).unwrap();
        bed.start_agent().await;
        let ending = match bed.state_of(&id).await {
            Some(TaskState::Exited(exit)) => exit.ending,
            Some(TaskState::Running) | None => bed.exit_of(&id).await.ending,
        };
        assert_eq!(ending, Ending::Unseen, "{kind:?}");
        assert!(!record.task.unwrap().is_alive());
        let mut next = bed.launch("watched", "exit 0");
        next.incarnation = 1;
        assert!(!bed.driver().start(next).await.unwrap().already);
        assert!(bed.exit_of(&id).await.is_success());
    }
}

#[tokio::test]
async fn a_plain_program_gets_the_signal_that_asks_it_to_end() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("plain", "echo ready; exec sleep 600").await;
        bed.line(&id, "ready").await;
        bed.stop(&id, Duration::from_mins(10)).await;
        assert_eq!(bed.exit_of(&id).await.ending, Ending::Signal(15), "{kind:?}");
    }
}

#[tokio::test]
async fn one_supervisor_waits_for_the_next_task_and_leaves_with_its_agent() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        assert_eq!(bed.supervisors(), Vec::<i32>::new(), "no task yet, no cost");
        let mut tasks = Vec::new();
        for round in 1..=3 {
            let spare = bed.supervisors();
            let id = bed.start(&format!("task-{round}"), "while :; do sleep 0.01; done").await;
            let own = bed.state(&id).record().unwrap().supervisor.pid;
            assert!(round == 1 || spare.contains(&own), "{kind:?}: {own} is new, {spare:?} waited");
            tasks.push(own);
            bed.until_supervisors(tasks.len() + 1).await;
        }
        let spare = bed.supervisors().into_iter().find(|pid| !tasks.contains(pid)).unwrap();
        ProcessRef::of(spare).unwrap().signal(Signal::KILL).unwrap();
        bed.start("after-a-kill", "while :; do sleep 0.01; done").await;
        bed.stop_agent();
        bed.until_supervisors(4).await;
    }
}

#[tokio::test]
async fn a_supervisor_whose_folder_was_removed_leaves_with_its_task() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("brief", "exec sleep 600").await;
        std::fs::remove_dir_all(bed.state(&id).path()).unwrap();
        bed.stop(&id, Duration::ZERO).await;
        bed.exit_of(&id).await;
        bed.until_supervisors(1).await;
    }
}

#[tokio::test]
async fn tasks_whose_folders_were_removed_are_still_known_and_can_be_ended() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("homeless", "exec sleep 600").await;
        std::fs::remove_dir_all(bed.state(&id).path().parent().unwrap()).unwrap();
        assert_eq!(bed.state_of(&id).await, Some(TaskState::Running), "{kind:?}");
        assert!(bed.driver().start(bed.launch("homeless", "exit 1")).await.unwrap().already);
        bed.stop(&id, Duration::ZERO).await;
        bed.exit_of(&id).await;
        assert_eq!(bed.state_of(&id).await, None);
    }
}

#[tokio::test]
async fn a_start_that_fails_late_leaves_no_process() {
    let Some(bed) = Bed::new(Kind::RawExec).await else { return };
    // A folder in the place of the socket is found when the task runs already.
    let launch = bed.launch("late", "exec sleep 600.1234");
    std::fs::create_dir_all(bed.state(&launch.id).path().join("socket")).unwrap();
    let refused = bed.driver_without_groups().await.start(launch).await.unwrap_err();
    assert!(matches!(&refused, StartError::Recoverable(text) if text.contains("record")), "{refused:?}");
    let commands = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = commands.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    assert_eq!(commands.filter(|command| command.replace('\0', " ") == "sleep 600.1234 ").count(), 0);
}

#[tokio::test]
async fn the_process_stays_the_same_while_agents_change() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("steady", "while :; do sleep 0.01; done").await;
        let before = bed.state(&id).record().unwrap();
        for _ in 0..5 {
            bed.restart_agent().await;
            assert!(bed.driver().start(bed.launch("steady", "exit 1")).await.unwrap().already);
        }
        assert_eq!(bed.state(&id).record().unwrap(), before);
        assert!(before.task.unwrap().is_alive());
        let used = bed.driver().as_stats().unwrap().stats(&id).await.unwrap();
        assert!(used.cpu_nanoseconds > 0 && used.memory_bytes > 0, "{used:?}");
    }
}

/// (Docker has no order to end a command: it lives until its container ends.)
#[tokio::test]
async fn a_dropped_session_ends_its_command() {
    for kind in BOTH {
        let Some(bed) = Bed::new(kind).await else { return };
        let id = bed.start("host", "sleep 600").await;
        let beat = bed.folders("host").shared().join("data/beat");
        let inside = bed.seen_shared("host");
        let script = format!("i=0; while :; do i=$((i+1)); echo $i > {inside}/data/beat; done");
        let session = bed.session(&id, &script, None).await;
        bed.written(&beat).await;
        drop(session);
        let stopped = async {
            loop {
                let before = std::fs::read_to_string(&beat).unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
                if std::fs::read_to_string(&beat).unwrap() == before {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, stopped).await.expect("the command goes on");
        assert_eq!(bed.state_of(&id).await, Some(TaskState::Running));
        bed.stop(&id, Duration::ZERO).await;
    }
}

#[tokio::test]
async fn nothing_is_left_after_an_end() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let id = bed.start("brief", "read never < /dev/zero").await;
        let record = bed.state(&id).record().unwrap();
        bed.stop(&id, Duration::ZERO).await;
        bed.exit_of(&id).await;
        bed.driver().forget(&id).await.unwrap();
        assert!(!bed.state(&id).path().exists());
        let group = record.cgroup.unwrap().path();
        assert!(!std::path::Path::new("/sys/fs/cgroup/freezer").join(group).exists());
    }
}

#[tokio::test]
async fn daemons_cannot_slip_away() {
    let Some(mut bed) = Bed::new(Kind::RawExec).await else { return };
    let id =
        bed.start("sneaky", "setsid sh -c 'echo $$; exec sleep 600' & wait_for=$!; sleep 0.05; exit 0").await;
    assert!(bed.exit_of(&id).await.is_success());
    let pid: i32 = bed.log(&id, "stdout").trim().parse().unwrap();
    assert!(encamp::drivers::process::procfs::ProcessRef::of(pid).is_none(), "the daemon lives");
}

/// The numbers of this machine, for people; the bound only catches a step of another order.
#[tokio::test]
async fn starting_is_quick() {
    for kind in BOTH {
        let Some(mut bed) = Bed::new(kind).await else { return };
        let mut starts = Vec::new();
        let mut ends = Vec::new();
        for round in 0..20 {
            let launch = bed.launch(&format!("quick{round}"), "exit 0");
            let id = launch.id.clone();
            let begin = Instant::now();
            bed.driver().start(launch).await.unwrap();
            starts.push(begin.elapsed());
            bed.exit_of(&id).await;
            ends.push(begin.elapsed());
        }
        starts.sort();
        ends.sort();
        eprintln!("{kind:?}: started p50 {:?} max {:?}, end told p50 {:?}", starts[10], starts[19], ends[10]);
        assert!(starts[10] < Duration::from_millis(500));
    }
}
