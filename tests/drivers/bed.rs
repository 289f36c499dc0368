//! A place to run tasks in: folders, one driver, and the eyes to see what became of a task.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::docker::{Dockerd, IMAGE};
use encamp::drivers::{
    Driver, Launch, Signal, TaskId,
    contract::{Event, ExecCommand, ExecSession, Exit, Limits, LogPolicy, Started, TaskState, TerminalSize},
    docker::{Docker, DockerOptions},
    exec::{Exec, ExecOptions},
    process::{HostOptions, cgroup::Cgroups, record::StateFolder},
    raw_exec::RawExec,
    user::UserPolicy,
};
use encamp::node::alloc_dir::AllocDir;
use futures::{StreamExt as _, stream::BoxStream};

/// Nothing here takes longer unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RawExec,
    Exec,
    /// The same where the operator lets tasks run as root.
    ExecForRoot,
    Docker,
}

pub(crate) struct Bed {
    pub(crate) kind: Kind,
    root: tempfile::TempDir,
    daemon: Option<Arc<Mutex<Dockerd>>>,
    driver: Option<Arc<dyn Driver>>,
    events: BoxStream<'static, Event>,
}

impl Bed {
    /// A fresh place, or `None` and a loud line.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: {kind:?} tests need root");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let driver = open(kind, root.path(), None).await;
        let seen = driver.fingerprint().await;
        if !seen.healthy {
            eprintln!("skipped: {kind:?} is not healthy here: {}", seen.reason);
            return None;
        }
        let events = driver.events();
        Some(Self { kind, root, daemon: None, driver: Some(driver), events })
    }

    /// A fresh place at a daemon that is shared with other beds.
    pub(crate) async fn docker(daemon: &Arc<Mutex<Dockerd>>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let driver = open(Kind::Docker, root.path(), Some(daemon)).await;
        let mut events = driver.events();
        // The first news is that the driver has looked around: from then on nothing is missed.
        assert_eq!(events.next().await, Some(Event::Resync));
        Self { kind: Kind::Docker, root, daemon: Some(daemon.clone()), driver: Some(driver), events }
    }

    /// The agent goes and comes back; tasks must not notice.
    pub(crate) async fn restart_agent(&mut self) {
        self.stop_agent();
        self.start_agent().await;
    }

    pub(crate) fn stop_agent(&mut self) {
        self.driver = None;
        self.events = futures::stream::empty().boxed();
    }

    pub(crate) async fn start_agent(&mut self) {
        let driver = open(self.kind, self.root.path(), self.daemon.as_ref()).await;
        self.events = driver.events();
        self.driver = Some(driver);
    }

    pub(crate) fn driver(&self) -> &dyn Driver {
        self.driver.as_deref().expect("the agent is there")
    }

    /// The driver as an agent has it that may make no control groups.
    pub(crate) async fn driver_without_groups(&self) -> impl Driver {
        let options = HostOptions { cgroups: None, ..host(self.root.path()) };
        RawExec::open(options).await.unwrap()
    }

    /// The drivers that run tasks as anybody, of an operator who denies root. Nobody answers for docker.
    pub(crate) async fn drivers_denying_root(&self) -> [Arc<dyn Driver>; 2] {
        let users = || UserPolicy::denying(["root"]);
        let raw_exec = RawExec::open_for(host(self.root.path()), users()).await.unwrap();
        let mut options = DockerOptions::new("n1", self.root.path().join("docker"));
        options.socket = self.root.path().join("no-socket");
        options.users = users();
        [Arc::new(raw_exec), Arc::new(Docker::open(options).unwrap())]
    }

    pub(crate) fn folders(&self, task: &str) -> AllocDir {
        AllocDir::new(&self.root.path().join("alloc"), "default", &format!("web.{task}.0-v1.0"))
    }

    /// A shell script as a task, with all its folders made.
    pub(crate) fn launch(&self, task: &str, script: &str) -> Launch {
        let folders = self.folders(task);
        folders.create().unwrap();
        let dirs = folders.create_task(task, 1).unwrap();
        let mut config = serde_json::json!({"command": "/bin/sh", "args": ["-c", script]});
        if self.kind == Kind::Docker {
            config["image"] = IMAGE.into();
            config["init"] = true.into();
        }
        Launch {
            id: TaskId::new("default", &format!("web.{task}.0-v1.0"), task).unwrap(),
            incarnation: 0,
            labels: BTreeMap::new(),
            config: config.as_object().unwrap().clone(),
            env: [("GREETING".to_owned(), "hello".to_owned())].into(),
            user: None,
            dirs,
            limits: Limits { cpu_mhz: 100, memory_mb: 64, ..Limits::default() },
            ports: Vec::new(),
            log: LogPolicy::default(),
        }
    }

    /// Starts a script and gives its id.
    pub(crate) async fn start(&self, task: &str, script: &str) -> TaskId {
        let launch = self.launch(task, script);
        let id = launch.id.clone();
        let started: Started = self.driver().start(launch).await.unwrap();
        assert!(!started.already);
        id
    }

    /// Runs a script inside a task.
    pub(crate) async fn session(
        &self,
        id: &TaskId,
        script: &str,
        terminal: Option<TerminalSize>,
    ) -> ExecSession {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        self.driver().as_exec().unwrap().exec(id, ExecCommand { argv, terminal }).await.unwrap()
    }

    /// Waits for the event of a task's end.
    pub(crate) async fn exit_of(&mut self, wanted: &TaskId) -> Exit {
        let found = async {
            while let Some(event) = self.events.next().await {
                if let Event::Exited { id, exit, .. } = event
                    && id == *wanted
                {
                    return exit;
                }
            }
            panic!("the events ended")
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the task's end was never told")
    }

    /// Waits until the driver has looked around anew.
    pub(crate) async fn resynced(&mut self) {
        let found = async { while self.events.next().await != Some(Event::Resync) {} };
        tokio::time::timeout(PATIENCE, found).await.expect("the driver never looked around");
    }

    pub(crate) async fn state_of(&self, id: &TaskId) -> Option<TaskState> {
        let tasks = self.driver().running().await.unwrap();
        tasks.into_iter().find(|task| task.id == *id).map(|task| task.state)
    }

    /// All output of a stream that is on disk.
    pub(crate) fn log(&self, id: &TaskId, stream: &str) -> String {
        let folder = self.folders(id.task()).logs();
        let prefix = format!("{}.{stream}.", id.task());
        let mut files: Vec<(u64, PathBuf)> = fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let index = path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok()?;
                Some((index, path))
            })
            .collect();
        files.sort();
        files.iter().map(|(_, path)| fs::read_to_string(path).unwrap()).collect()
    }

    /// The folder that all tasks of an allocation share, as the task sees it.
    pub(crate) fn seen_shared(&self, task: &str) -> String {
        match self.kind {
            Kind::RawExec => self.folders(task).shared().display().to_string(),
            Kind::Exec | Kind::ExecForRoot | Kind::Docker => "/alloc".to_owned(),
        }
    }

    /// A pipe in the shared folder by which a test speaks to a task.
    pub(crate) fn pipe(&self, task: &str) -> PathBuf {
        let path = self.folders(task).shared().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        path
    }

    /// Waits until the task has written a file.
    pub(crate) async fn written(&self, path: &Path) {
        let seen = async {
            while !fs::read_to_string(path).is_ok_and(|text| !text.is_empty()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("the file never came");
    }

    /// Waits until a line is in the log: the task itself says how far it is.
    pub(crate) async fn line(&self, id: &TaskId, wanted: &str) {
        self.line_of(id, "stdout", wanted).await;
    }

    /// The same for either stream.
    pub(crate) async fn line_of(&self, id: &TaskId, stream: &str, wanted: &str) {
        let seen = async {
            while !self.log(id, stream).lines().any(|line| line == wanted) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let timely = tokio::time::timeout(PATIENCE, seen).await;
        assert!(timely.is_ok(), "no line {wanted:?} in {:?}", self.log(id, stream).lines().last());
    }

    /// The state folder of a supervised task.
    pub(crate) fn state(&self, id: &TaskId) -> StateFolder {
        StateFolder::of(&self.root.path().join("state"), id)
    }

    /// The supervisors of this bed, those that wait for a task too: they are told by the path of their program.
    pub(crate) fn supervisors(&self) -> Vec<i32> {
        let command = format!("{}\0__supervise\0", self.root.path().join("encamp").display());
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|found| found == command)
        })
        .collect()
    }

    /// Waits until there are this many of them.
    pub(crate) async fn until_supervisors(&self, count: usize) {
        let reached = async {
            while self.supervisors().len() != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let timely = tokio::time::timeout(PATIENCE, reached).await;
        assert!(timely.is_ok(), "supervisors: {:?} instead of {count}", self.supervisors());
    }

    pub(crate) async fn stop(&self, id: &TaskId, grace: Duration) {
        self.driver().stop(id, Signal::TERM, grace).await.unwrap();
    }
}

impl Drop for Bed {
    /// No test leaves a process, a control group or a mount behind, not even one that failed.
    fn drop(&mut self) {
        for folder in StateFolder::all(&self.root.path().join("state")).unwrap_or_default() {
            let Some(record) = folder.record() else { continue };
            record.supervisor.signal(Signal::KILL).ok();
            if let Some(cgroup) = record.cgroup {
                cgroup.kill_and_remove(PATIENCE).ok();
            }
        }
        for entry in fs::read_dir(self.root.path().join("alloc/default")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            AllocDir::new(&self.root.path().join("alloc"), "default", &name).remove().ok();
        }
    }
}

fn host(root: &Path) -> HostOptions {
    let program = root.join("encamp");
    if !program.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_encamp"), &program).unwrap();
    }
    HostOptions {
        state_root: root.join("state"),
        program,
        cgroups: Cgroups::detect(Path::new("/sys/fs/cgroup"), "encamp-tests"),
    }
}

async fn open(kind: Kind, root: &Path, daemon: Option<&Arc<Mutex<Dockerd>>>) -> Arc<dyn Driver> {
    match kind {
        Kind::RawExec => Arc::new(RawExec::open(host(root)).await.unwrap()),
        Kind::Exec => Arc::new(Exec::open(host(root), ExecOptions::default()).await.unwrap()),
        Kind::ExecForRoot => {
            let options = ExecOptions { users: UserPolicy::open(), ..ExecOptions::default() };
            Arc::new(Exec::open(host(root), options).await.unwrap())
        }
        Kind::Docker => {
            let mut options = DockerOptions::new(&root.to_string_lossy(), root.join("docker"));
            options.socket = daemon.expect("docker has a daemon").lock().unwrap().socket();
            Arc::new(Docker::open(options).unwrap())
        }
    }
}
