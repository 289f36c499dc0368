//! The stock kubectl against our API.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::process::Process;

/// One kubectl with a cache of its own.
pub struct Kubectl<'a> {
    /// The API's address.
    pub address: &'a str,
    /// Where it may write its cache.
    pub home: &'a Path,
}

impl Kubectl<'_> {
    /// Runs it and gives what it printed; fails where it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.try_run(arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "kubectl {} ended with {status}\n{stdout}\n{stderr}", arguments.join(" "));
        stdout.into_owned()
    }

    /// Runs it and gives all it answered.
    pub fn try_run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("kubectl is installed")
    }

    /// Starts it in the background, its output in `<home>/<name>.log`.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Process {
        Process::start(name, &mut self.command(arguments), self.home)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(["--server", self.address, "--cache-dir"])
            .arg(self.home.join("kube-cache"))
            .args(arguments);
        command.env("HOME", self.home).env("KUBECONFIG", "/dev/null").env_remove("ENCAMP_ADDR");
        command
    }
}
