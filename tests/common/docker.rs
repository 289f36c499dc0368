//! A Docker daemon of one's own: its socket, images and containers lie in a folder that goes with it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::mounts::unmount_below;

/// For the daemon to answer on a busy machine.
const START: Duration = Duration::from_mins(1);
const BETWEEN: Duration = Duration::from_millis(50);
/// The image that every daemon has: one static busybox.
pub(crate) const IMAGE: &str = "busybox:test";

/// A daemon that can be killed and started again over the same containers.
pub(crate) struct Dockerd {
    child: Child,
    folder: TempDir,
    bridge: Option<Bridge>,
}

impl Dockerd {
    /// Starts a daemon with the test image, or says loudly why there is none.
    pub(crate) fn start() -> Option<Dockerd> {
        Self::start_over(|| None)
    }

    /// The same with a bridge for containers.
    pub(crate) fn start_with_network() -> Option<Dockerd> {
        Self::start_over(|| Some(Bridge::new()))
    }

    fn start_over(bridge: impl Fn() -> Option<Bridge>) -> Option<Dockerd> {
        let skip = |why: &str| {
            // Past the capture of a test's output: a skipped test must not look like a passed one.
            writeln!(std::io::stderr(), "skipped: {why}").expect("stderr is open");
            None
        };
        if !nix::unistd::Uid::effective().is_root() {
            return skip("no dockerd: it needs root");
        }
        let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !is_there("dockerd") {
            return skip("no dockerd installed");
        }
        let Some(busybox) = static_busybox() else { return skip("no static busybox for a docker image") };
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let bridge = bridge();
        let child = spawn(folder.path(), bridge.as_ref());
        let mut daemon = Dockerd { child, folder, bridge };
        if !daemon.answers() {
            let log = fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            return skip(&format!("dockerd does not start here: {last:?}"));
        }
        daemon.import(&busybox);
        Some(daemon)
    }

    /// The daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Ends the daemon as a crash would; its containers live on.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Starts it again over what it had.
    pub(crate) fn restart(&mut self) {
        // A machine without a reaper keeps the dead as zombies, and the daemon takes them for alive.
        for file in ["pid", "exec/containerd/containerd.pid"] {
            fs::remove_file(self.folder.path().join(file)).ok();
        }
        self.child = spawn(self.folder.path(), self.bridge.as_ref());
        assert!(self.answers(), "dockerd starts again");
    }

    /// Runs the docker command against this daemon.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let host = format!("unix://{}", self.socket().display());
        let output = Command::new("docker").arg("--host").arg(host).args(arguments).output();
        let output = output.expect("the docker command is installed with the daemon");
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn answers(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if self.child.try_wait().ok().flatten().is_some() {
                return false;
            }
            let host = format!("unix://{}", self.socket().display());
            let asked = Command::new("docker").args(["--host", &host, "version"]).output();
            if asked.is_ok_and(|asked| asked.status.success()) {
                return true;
            }
            std::thread::sleep(BETWEEN);
        }
        false
    }

    /// A root of one program and its names, imported as an image: no registry is asked.
    fn import(&self, busybox: &Path) {
        let root = self.folder.path().join("image");
        for folder in ["bin", "tmp", "etc"] {
            fs::create_dir_all(root.join(folder)).expect("there is room for the image");
        }
        fs::copy(busybox, root.join("bin/busybox")).expect("busybox can be copied");
        for name in
            ["sh", "sleep", "echo", "cat", "ls", "tail", "date", "pwd", "id", "wc", "true", "grep", "nc"]
        {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).expect("the folder is new");
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
            .expect("there is room for the image");
        let archive = self.folder.path().join("image.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
        assert!(packed.expect("tar is installed").success());
        self.docker(&["import", &archive.to_string_lossy(), IMAGE]);
    }
}

fn static_busybox() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/bin/busybox");
    let found = [path, PathBuf::from("/bin/busybox")].into_iter().find(|path| path.exists())?;
    let linked = Command::new("ldd").arg(&found).output().ok()?;
    (!linked.status.success()).then_some(found)
}

/// A network of one daemon's own. The usual `docker0` will not do: a daemon without a bridge takes it away from all others.
struct Bridge(String);

impl Bridge {
    fn new() -> Bridge {
        let pid = std::process::id();
        let bridge = Bridge(format!("encamp{pid}"));
        let [.., high, low] = pid.to_be_bytes();
        let address = format!("10.{high}.{low}.1/24");
        for arguments in [
            &["link", "add", &bridge.0, "type", "bridge"][..],
            &["address", "add", &address, "dev", &bridge.0],
            &["link", "set", &bridge.0, "up"],
        ] {
            assert!(ip(arguments).success(), "ip {arguments:?}");
        }
        bridge
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        ip(&["link", "delete", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> ExitStatus {
    Command::new("ip").args(arguments).status().expect("iproute2 is installed")
}

/// `--live-restore` is what operators are told to use: containers outlive their daemon.
fn spawn(folder: &Path, bridge: Option<&Bridge>) -> Child {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let log = File::options().create(true).append(true).open(path("log")).expect("there is room for a log");
    let errors = log.try_clone().expect("a descriptor can be copied");
    Command::new("dockerd")
        .args(["--host", &format!("unix://{}", path("docker.sock"))])
        .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
        .arg(format!("--bridge={}", bridge.map_or("none", |bridge| &bridge.0)))
        .args(["--iptables=false", "--live-restore", "--log-level=warn"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("dockerd is installed")
}

impl Drop for Dockerd {
    /// Containers first: they would outlive the daemon.
    fn drop(&mut self) {
        let host = format!("unix://{}", self.socket().display());
        let docker =
            |arguments: &[&str]| Command::new("docker").args(["--host", &host]).args(arguments).output();
        if let Ok(listed) = docker(&["ps", "-aq"]) {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let mut remove = vec!["rm", "-f"];
            remove.extend(listed.lines());
            if remove.len() > 2 {
                docker(&remove).ok();
            }
        }
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).ok();
        self.child.wait().ok();
        unmount_below(self.folder.path());
    }
}
