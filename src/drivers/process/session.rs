//! The agent's side of a command inside a task: it starts `__enter` and carries bytes to and fro.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    process::Stdio,
};

use bytes::Bytes;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
};

use super::{
    enter::{EnterPlan, Walls, representative},
    host::ProcessHost,
    procfs::ProcessRef,
};
use crate::{
    Signal, TaskId,
    contract::{ExecCommand, ExecInput, ExecOutput, ExecSession, SignalFailure, TerminalSize},
};

/// Pieces on their way in one direction.
const ROOM: usize = 64;
/// Bytes of a piece.
const PIECE: usize = 16 * 1024;

type Pieces = mpsc::Sender<ExecOutput>;

impl ProcessHost {
    /// See [`crate::contract::Exec::exec`].
    pub fn exec(
        &self,
        id: &TaskId,
        command: ExecCommand,
        walls: Walls,
    ) -> Result<ExecSession, SignalFailure> {
        let record = self.record(id)?;
        let main = record.task.ok_or(SignalFailure::NotRunning)?;
        let target = representative(main, walls).ok_or(SignalFailure::NotRunning)?;
        let is_terminal = command.terminal.is_some();
        let plan = EnterPlan { target, cgroup: record.cgroup, walls, is_terminal, argv: command.argv };
        let plan = serde_json::to_string(&plan).expect("a plan has only text keys");
        let mut enter = Command::new(&self.options().program);
        enter.arg("__enter").arg(plan).env_clear();
        let begun = match command.terminal {
            Some(size) => on_terminal(enter, size),
            None => on_pipes(enter),
        };
        begun.map_err(|error| SignalFailure::Refused(format!("cannot start the command: {error}")))
    }
}

fn on_pipes(mut enter: Command) -> io::Result<ExecSession> {
    let mut child = enter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (input, typed) = mpsc::channel(ROOM);
    let (shown, output) = mpsc::channel(ROOM);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    tokio::spawn(feed(child.stdin.take(), typed));
    tokio::spawn(async move {
        let read = async {
            tokio::join!(
                carry(stdout, &shown, ExecOutput::Stdout),
                carry(stderr, &shown, ExecOutput::Stderr)
            );
        };
        tokio::select! { biased;
            () = shown.closed() => {}
            () = read => {}
        }
        finish(child, shown).await;
    });
    Ok(ExecSession { input, output })
}

async fn feed(stdin: Option<ChildStdin>, mut typed: mpsc::Receiver<ExecInput>) {
    let Some(mut stdin) = stdin else { return };
    while let Some(input) = typed.recv().await {
        match input {
            ExecInput::Bytes(bytes) => {
                if stdin.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            ExecInput::Resize(_) => {}
            ExecInput::End => return,
        }
    }
}

async fn carry(stream: Option<impl AsyncRead + Unpin>, shown: &Pieces, piece: fn(Bytes) -> ExecOutput) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if shown.send(piece(Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}

/// Whoever went away before the end wants no command left behind.
async fn finish(mut child: Child, shown: Pieces) {
    if shown.is_closed() {
        let process = child.id().and_then(|pid| ProcessRef::of(i32::try_from(pid).ok()?));
        if let Some(Err(error)) = process.map(|process| process.signal(Signal::TERM)) {
            tracing::warn!(%error, "a command in a task could not be ended");
        }
    }
    let code = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(255);
    if shown.send(ExecOutput::Exit(code)).await.is_err() {
        tracing::debug!("nobody waits for the command's end any more");
    }
}

/// A terminal of the host: the command's side becomes its three streams.
fn on_terminal(mut enter: Command, size: TerminalSize) -> io::Result<ExecSession> {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&own)?;
    unlockpt(&own)?;
    resize(&own, size)?;
    let name = ptsname(&own, Vec::new())?.into_string().map_err(io::Error::other)?;
    let other = || File::options().read(true).write(true).open(&name);
    let child = enter.stdin(other()?).stdout(other()?).stderr(other()?).spawn()?;
    // The command's side must be open nowhere else, or its end is never seen.
    drop(enter);
    let (input, typed) = mpsc::channel(ROOM);
    let (shown, output) = mpsc::channel(ROOM);
    let (reading, writing) = (File::from(own.try_clone()?), File::from(own));
    let pieces = shown.clone();
    // Terminals cannot be polled by the runtime's files, so each direction has a thread while the session lasts.
    let read = tokio::task::spawn_blocking(move || read_terminal(reading, &pieces));
    tokio::task::spawn_blocking(move || type_on_terminal(writing, typed));
    tokio::spawn(async move {
        tokio::select! { biased;
            () = shown.closed() => {}
            _ = read => {}
        }
        finish(child, shown).await;
    });
    Ok(ExecSession { input, output })
}

fn read_terminal(mut terminal: File, shown: &Pieces) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        let piece = ExecOutput::Stdout(Bytes::copy_from_slice(&buffer[..count]));
        if shown.blocking_send(piece).is_err() {
            return;
        }
    }
}

fn type_on_terminal(mut terminal: File, mut typed: mpsc::Receiver<ExecInput>) {
    /// What a person types to end the input.
    const END: &[u8] = &[4];
    while let Some(input) = typed.blocking_recv() {
        let done = match input {
            ExecInput::Bytes(bytes) => terminal.write_all(&bytes),
            ExecInput::End => terminal.write_all(END),
            ExecInput::Resize(size) => resize(&terminal, size),
        };
        if done.is_err() {
            return;
        }
    }
}

fn resize(terminal: impl std::os::fd::AsFd, size: TerminalSize) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}
