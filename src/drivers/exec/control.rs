//! The supervisor's side of a jail: makes the first process of a pid namespace and talks with it.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};

use super::jail::{FromInit, Inmate, Jail, ToInit};
use crate::{
    contract::Ending,
    process::wire::{Failure, ProcessLaunch},
    signal::Signal,
    user::own_user,
};

/// Building the walls takes milliseconds.
const BUILD_PATIENCE: Duration = Duration::from_secs(20);

/// The way to the first process of a jail.
#[derive(Debug)]
pub struct Control {
    stream: BufReader<UnixStream>,
}

/// Makes the command that becomes the first process. The caller's next child is born in a new pid namespace.
pub fn prepare(jail: &Jail) -> Result<(Control, Command), Failure> {
    let failure = |what: &str, error: &dyn std::fmt::Display| Failure {
        text: format!("{what}: {error}"),
        is_recoverable: true,
    };
    unshare(CloneFlags::CLONE_NEWPID).map_err(|error| failure("no pid namespace", &error))?;
    let (own, other) = UnixStream::pair().map_err(|error| failure("no socket", &error))?;
    own.set_read_timeout(Some(BUILD_PATIENCE)).map_err(|error| failure("no socket", &error))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg("__exec-init").arg(&jail.hostname).env_clear().stdin(Stdio::from(OwnedFd::from(other)));
    Ok((Control { stream: BufReader::new(own) }, command))
}

impl Control {
    /// Hands the task over and waits until it runs.
    pub fn launch(&mut self, launch: &ProcessLaunch, jail: &Jail) -> Result<(), Failure> {
        let user = launch.user.clone().unwrap_or_else(own_user);
        let inmate = Inmate {
            argv: launch.argv.clone(),
            env: launch.env.clone(),
            work_dir: launch.work_dir.clone(),
            user,
            jail: jail.clone(),
        };
        let broken = |error: &io::Error| Failure {
            text: format!("the task's first process failed: {error}"),
            is_recoverable: true,
        };
        self.send(&ToInit::Run(Box::new(inmate))).map_err(|error| broken(&error))?;
        match self.next().map_err(|error| broken(&error))? {
            FromInit::Started => Ok(()),
            FromInit::Failed(failure) => Err(failure),
            FromInit::Ended(_) => Err(broken(&io::Error::other("the task ended before it began"))),
        }
    }

    /// Sends the task's main process a signal.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.send(&ToInit::Signal(signal.number()))
    }

    /// How the main process ended; only asked when the first process is gone, so nothing is waited for.
    pub fn ending(&mut self) -> Option<Ending> {
        match self.next() {
            Ok(FromInit::Ended(ending)) => Some(ending),
            Ok(FromInit::Started | FromInit::Failed(_)) | Err(_) => None,
        }
    }

    fn send(&mut self, order: &ToInit) -> io::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)
    }

    fn next(&mut self) -> io::Result<FromInit> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// A path inside the jail, never outside: `..` cannot climb above the root.
pub(super) fn inside(path: &Path) -> std::path::PathBuf {
    let mut inside = std::path::PathBuf::from("/");
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => inside.push(name),
            std::path::Component::ParentDir => {
                inside.pop();
            }
            std::path::Component::RootDir
            | std::path::Component::CurDir
            | std::path::Component::Prefix(_) => {}
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in
            [("local", "/local"), ("../../etc", "/etc"), ("/a/../../b/./c", "/b/c"), ("", "/")]
        {
            assert_eq!(inside(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
