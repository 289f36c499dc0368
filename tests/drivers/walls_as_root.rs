//! What a jailed task cannot do although it is root, or finds a way to become it. Each probe is first shown to work
//! without the walls.

use std::{fs, path::Path, process::Command, time::Duration};

use encamp::drivers::{TaskId, contract::ExecOutput};

use crate::bed::{Bed, Kind};

/// A program that asks the kernel in every way for a user namespace, and says which one answered.
const ASK: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *way, long answer) {
    if (answer > 0) waitpid(answer, 0, 0);
    printf("%s %s\n", way, answer >= 0 ? "made" : "refused");
    fflush(stdout);
}

/* Asked in a child each, so that one that succeeds does not change what the next may. */
static void in_child(const char *way, long (*ask)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { say(way, ask()); _exit(0); }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("%s refused\n", way);
}

static long by_unshare(void) { return syscall(SYS_unshare, CLONE_NEWUSER); }
static long by_unshare_of_all(void) { return syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP); }
static long by_clone(void) {
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child;
}
static long by_clone3(void) {
    unsigned long long arguments[11] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD };
    long child = syscall(435, arguments, 64);
    if (child == 0) _exit(0);
    return child;
}
#ifdef __x86_64__
static long by_old_calls(void) {
    long answer;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(310), "b"(CLONE_NEWUSER) : "memory");
    return answer;
}
#endif

int main(void) {
    in_child("unshare", by_unshare);
    in_child("unshare-all", by_unshare_of_all);
    in_child("clone", by_clone);
    in_child("clone3", by_clone3);
#ifdef __x86_64__
    in_child("i386", by_old_calls);
#endif
    return 0;
}
"#;

/// Builds the program; whoever builds this project has a compiler of C for the linker's sake.
fn build(folder: &Path) {
    let source = folder.join("ask.c");
    fs::write(&source, ASK).unwrap();
    let built = Command::new("cc").arg("-o").arg(folder.join("ask")).arg(&source).status().unwrap();
    assert!(built.success());
}

async fn said(kind: Kind, user: &str, prepare: impl Fn(&Path), script: &str) -> Option<String> {
    let mut bed = Bed::new(kind).await?;
    let shared = bed.seen_shared("probe");
    let mut launch = bed.launch("probe", &script.replace("ALLOC", &shared));
    prepare(&bed.folders("probe").shared());
    launch.user = Some(user.to_owned());
    let id = launch.id.clone();
    bed.driver().start(launch).await.unwrap();
    bed.exit_of(&id).await;
    Some(bed.log(&id, "stdout").trim().to_owned())
}

#[tokio::test]
async fn no_user_namespace_is_made_inside() {
    for user in ["nobody", "0:0"] {
        let Some(outside) = said(Kind::RawExec, user, build, "ALLOC/ask").await else { return };
        let Some(inside) = said(Kind::ExecForRoot, user, build, "ALLOC/ask").await else { return };
        for way in ["unshare", "unshare-all", "clone", "clone3"] {
            assert!(outside.contains(&format!("{way} made")), "the probe works outside: {outside}");
        }
        assert!(!inside.contains("made"), "as {user}: {inside}");
        assert_eq!(inside.lines().count(), outside.lines().count(), "every way was tried: {inside}");
    }
}

#[tokio::test]
async fn nor_by_a_further_command() {
    let mut answers = Vec::new();
    for kind in [Kind::RawExec, Kind::Exec] {
        let Some(bed) = Bed::new(kind).await else { return };
        let id = bed.start("probe", "sleep 600").await;
        build(&bed.folders("probe").shared());
        let mut session = bed.session(&id, &format!("{}/ask", bed.seen_shared("probe")), None).await;
        let mut said = String::new();
        while let Some(output) = session.output.recv().await {
            match output {
                ExecOutput::Stdout(bytes) => said.push_str(&String::from_utf8_lossy(&bytes)),
                ExecOutput::Stderr(_) | ExecOutput::Exit(_) => {}
            }
        }
        bed.stop(&id, Duration::ZERO).await;
        answers.push(said);
    }
    assert!(answers[0].contains("unshare made") && answers[0].contains("clone made"), "{answers:?}");
    assert!(answers[1].contains("unshare refused") && !answers[1].contains("made"), "{answers:?}");
}

#[tokio::test]
async fn root_inside_cannot_lift_its_own_limits() {
    let mount = |kind: &str| format!("mkdir -p ALLOC/data/c; unshare -m mount {kind} none ALLOC/data/c");
    let user_space =
        |kind: &str| format!("mkdir -p ALLOC/data/c; unshare -Um mount {kind} none ALLOC/data/c");
    let layout = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "-t cgroup2"
    } else {
        "-t cgroup -o memory"
    };
    let deeds = [
        mount(layout),
        mount("-t tmpfs"),
        user_space("-t tmpfs"),
        "find / -xdev -name cgroup.procs -writable 2>/dev/null | grep -q . || test -w /sys/fs/cgroup"
            .to_owned(),
        "same=$(cat /proc/sys/kernel/panic); echo $same > /proc/sys/kernel/panic".to_owned(),
        "mknod ALLOC/data/mem c 1 1 && test -c ALLOC/data/mem".to_owned(),
        "chroot / true".to_owned(),
    ];
    for deed in deeds {
        let script = format!("({deed}) >/dev/null 2>&1 && echo done || echo refused");
        let Some(outside) = said(Kind::RawExec, "0:0", |_| {}, &script).await else { return };
        let Some(inside) = said(Kind::ExecForRoot, "0:0", |_| {}, &script).await else { return };
        let makes_user_space_only = deed.contains("unshare -Um");
        assert!(outside == "done" || makes_user_space_only, "the probe works outside: {deed}: {outside}");
        assert_eq!(inside, "refused", "{deed}");
    }
}

/// A group that a task with the rights for it made inside its own, and froze.
async fn frozen(bed: &Bed) -> TaskId {
    let script = r"
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
            own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup) word=1 file=cgroup.freeze
        else
            own=/sys/fs/cgroup/freezer$(sed -n 's/^[0-9]*:freezer://p' /proc/self/cgroup) word=FROZEN file=freezer.state
        fi
        mkdir -p $own/a/b
        sleep 600 &
        echo $! > $own/a/b/cgroup.procs && echo $word > $own/a/b/$file && echo frozen
        exec sleep 600
    ";
    let id = bed.start("frozen", script).await;
    bed.line(&id, "frozen").await;
    id
}

#[tokio::test]
async fn who_froze_a_part_of_itself_can_be_stopped() {
    let Some(mut bed) = Bed::new(Kind::RawExec).await else { return };
    let id = frozen(&bed).await;
    let group = bed.state(&id).record().unwrap().cgroup.unwrap();
    assert_eq!(group.processes().len(), 2, "the frozen one is seen as well");
    bed.stop(&id, Duration::from_millis(100)).await;
    bed.exit_of(&id).await;
    assert_eq!(group.processes(), Vec::<i32>::new());
    bed.driver().forget(&id).await.unwrap();
    for tree in ["freezer", "memory", ""] {
        let left = Path::new("/sys/fs/cgroup").join(tree).join(group.path());
        assert!(!left.exists(), "{} stays behind", left.display());
    }
}

#[tokio::test]
async fn who_froze_a_part_of_itself_and_lost_its_supervisor_is_ended() {
    let Some(mut bed) = Bed::new(Kind::RawExec).await else { return };
    let id = frozen(&bed).await;
    let record = bed.state(&id).record().unwrap();
    record.supervisor.signal(encamp::drivers::Signal::KILL).unwrap();
    bed.exit_of(&id).await;
    assert_eq!(record.cgroup.unwrap().processes(), Vec::<i32>::new());
}
