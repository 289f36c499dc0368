//! A process of the cluster under test: started, killed, and gone when its owner is dropped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// One child process, its log beside the data of its cluster.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with no input and both outputs appended to `<directory>/<name>.log`.
    pub fn start(name: &str, command: &mut Command, directory: &Path) -> Process {
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let errors = output.try_clone().expect("a file handle can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Process { name: name.to_owned(), child, log }
    }

    /// Ends the process as a power cut would.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Asks the process to end, and says whether it did so well and within the time.
    pub fn terminate(&mut self, within: Duration) -> bool {
        self.signal(Signal::SIGTERM);
        let until = Instant::now() + within;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Stops all its threads in their tracks, and returns when they are.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let is_stopped = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED));
        assert_eq!(is_stopped, Ok(WaitStatus::Stopped(self.pid(), Signal::SIGSTOP)), "{} ended", self.name);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("our own child can be signalled");
    }

    /// Whether it still runs; a test that waits for something fails at once where it does not.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child can be waited for").is_none()
    }

    /// The end of its log, for the message of a failing test.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!("--- end of the log of {} ---\n{}", self.name, lines[from..].join("\n"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.id()).expect("a pid fits"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good as ended now: both leave nothing behind.
        let killed = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = killed {
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::InvalidInput,
                "{} could not be ended: {error}",
                self.name
            );
        }
    }
}

/// A process that a task is: its number and when it began, which no other process shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// Clock ticks between boot and its start.
    pub start_time: u64,
}

impl Identity {
    /// The process with this number, if it lives.
    pub fn of(pid: u32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything; the state follows it, and 19 fields later the start.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X");
        let start_time = fields.nth(18)?.parse().ok()?;
        (!is_dead).then_some(Identity { pid, start_time })
    }
}

/// Kills every process whose working directory lies under `directory`: what the tasks of a cluster left behind.
pub fn clear_away(directory: &Path) {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let lies_inside = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        if lies_inside {
            // It may end by itself between the look and the kill: then there is nothing to kill.
            let _gone_either_way = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
