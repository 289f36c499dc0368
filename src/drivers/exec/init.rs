//! The first process of a jail: the hidden command `__exec-init`.
//!
//! It builds the walls, gives up every right, starts the task as its child, buries orphans, passes signals on, and
//! tells how the task ended. When it leaves, or when its supervisor does, the kernel ends everything inside.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::{
        fd::AsFd as _,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Command, ExitCode, Stdio},
};

use nix::{
    errno::Errno,
    sys::wait::{WaitStatus, waitpid},
    unistd::Pid,
};

use super::{
    jail::{FromInit, Inmate, ToInit},
    privileges, root,
};
use crate::{contract::Ending, process::wire::Failure};

/// Runs the first process; everything it needs comes over its standard input, a socket.
pub fn main() -> ExitCode {
    let Ok(stream) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    let Ok(lines) = stream.try_clone().map(BufReader::new) else { return ExitCode::FAILURE };
    match start(stream, lines) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn start(mut stream: UnixStream, mut lines: BufReader<UnixStream>) -> io::Result<()> {
    let ToInit::Run(inmate) = read(&mut lines)? else { return Err(io::ErrorKind::InvalidData.into()) };
    match confine(&inmate).and_then(|()| spawn(&inmate)) {
        Ok(task) => {
            tell(&mut stream, &FromInit::Started)?;
            let orders = std::thread::Builder::new();
            orders.name("orders".into()).spawn(move || obey(lines, task))?;
            tell(&mut stream, &FromInit::Ended(bury(task)))
        }
        Err(failure) => tell(&mut stream, &FromInit::Failed(failure)),
    }
}

fn confine(inmate: &Inmate) -> Result<(), Failure> {
    root::build(&inmate.jail).map_err(|error| Failure {
        text: format!("cannot build the task's root: {error}"),
        is_recoverable: true,
    })?;
    privileges::give_up(&inmate.user, &inmate.jail.capabilities)
}

fn spawn(inmate: &Inmate) -> Result<Pid, Failure> {
    let fatal = |text: String| Failure { text, is_recoverable: false };
    let (program, arguments) =
        inmate.argv.split_first().ok_or_else(|| fatal("there is no command".to_owned()))?;
    let work_dir = super::control::inside(&inmate.work_dir);
    if !work_dir.is_dir() {
        return Err(fatal(format!("there is no folder {} inside the task", work_dir.display())));
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&inmate.env).current_dir(work_dir).process_group(0);
    let child = command.stdin(Stdio::null()).spawn();
    let child = child.map_err(|error| fatal(format!("cannot start {program:?} inside the task: {error}")))?;
    Ok(Pid::from_raw(i32::try_from(child.id()).expect("pids fit")))
}

/// Signals reach the task until the supervisor is gone; then there is nobody left to live for.
fn obey(mut lines: BufReader<UnixStream>, task: Pid) {
    while let Ok(order) = read(&mut lines) {
        if let ToInit::Signal(number) = order
            && let Ok(signal) = nix::sys::signal::Signal::try_from(number)
        {
            // It may have ended a moment ago; this namespace holds nobody else who could get its pid.
            match nix::sys::signal::kill(task, signal) {
                Ok(()) | Err(_) => {}
            }
        }
    }
    std::process::exit(1);
}

/// Buries everybody who dies inside until the main process has.
fn bury(task: Pid) -> Ending {
    loop {
        match waitpid(Pid::from_raw(-1), None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == task => return Ending::Code(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == task => return Ending::Signal(signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Ending::Unseen,
        }
    }
}

fn read(lines: &mut BufReader<UnixStream>) -> io::Result<ToInit> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

fn tell(stream: &mut UnixStream, notice: &FromInit) -> io::Result<()> {
    let mut line = serde_json::to_vec(notice)?;
    line.push(b'\n');
    stream.write_all(&line)
}
