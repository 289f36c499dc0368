//! Commands inside a container, and what it uses.

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults},
    query_parameters::StatsOptionsBuilder,
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

use super::{
    answer::{is_conflict, is_missing, unavailable},
    driver::Docker,
};
use crate::{
    TaskId,
    contract::{
        Exec, ExecCommand, ExecInput, ExecOutput, ExecSession, SignalFailure, Stats, TerminalSize, Usage,
    },
};

/// Pieces on their way in one direction.
const ROOM: usize = 64;

fn failure(error: &bollard::errors::Error) -> SignalFailure {
    if is_missing(error) || is_conflict(error) {
        SignalFailure::NotRunning
    } else {
        unavailable(error).into()
    }
}

impl Docker {
    async fn open_session(&self, id: &TaskId, command: ExecCommand) -> Result<ExecSession, SignalFailure> {
        let container = self.shared.find_running(id).await?;
        let docker = self.shared.docker().map_err(|error| failure(&error))?.clone();
        let is_terminal = command.terminal.is_some();
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(is_terminal),
            cmd: Some(command.argv),
            ..CreateExecOptions::default()
        };
        let created = docker.create_exec(&container, options).await.map_err(|error| failure(&error))?;
        let how = StartExecOptions { detach: false, tty: is_terminal, output_capacity: None };
        let begun = docker.start_exec(&created.id, Some(how)).await.map_err(|error| failure(&error))?;
        let StartExecResults::Attached { mut output, input: mut stdin } = begun else {
            return Err(SignalFailure::Refused("the daemon did not attach".into()));
        };
        if let Some(size) = command.terminal {
            resize(&docker, &created.id, size).await;
        }
        let (input, mut typed) = mpsc::channel(ROOM);
        let (shown, session_output) = mpsc::channel(ROOM);
        tokio::spawn(async move {
            let mut is_typing = true;
            loop {
                tokio::select! { biased;
                    () = shown.closed() => return,
                    piece = output.next() => match piece {
                        Some(Ok(piece)) => if shown.send(output_of(piece)).await.is_err() { return },
                        Some(Err(_)) | None => break,
                    },
                    piece = typed.recv(), if is_typing => match piece {
                        Some(ExecInput::Bytes(bytes)) => is_typing = stdin.write_all(&bytes).await.is_ok(),
                        Some(ExecInput::Resize(size)) => resize(&docker, &created.id, size).await,
                        Some(ExecInput::End) | None => {
                            is_typing = false;
                            if let Err(error) = stdin.shutdown().await {
                                tracing::debug!(%error, "input of the command was closed already");
                            }
                        }
                    }
                }
            }
            let seen = docker.inspect_exec(&created.id).await.ok().and_then(|seen| seen.exit_code);
            let code = seen.and_then(|code| i32::try_from(code).ok()).unwrap_or(255);
            if shown.send(ExecOutput::Exit(code)).await.is_err() {
                tracing::debug!("nobody waits for the command's end any more");
            }
        });
        Ok(ExecSession { input, output: session_output })
    }

    async fn measure(&self, id: &TaskId) -> Result<Usage, SignalFailure> {
        let container = self.shared.find_running(id).await?;
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let docker = self.shared.docker().map_err(|error| failure(&error))?;
        let mut answers = Box::pin(docker.stats(&container, Some(options)));
        let Some(stats) = answers.next().await.transpose().map_err(|error| failure(&error))? else {
            return Err(SignalFailure::NotRunning);
        };
        let memory = stats.memory_stats.unwrap_or_default();
        let cpu = stats.cpu_stats.unwrap_or_default().cpu_usage.unwrap_or_default();
        Ok(Usage {
            cpu_nanoseconds: cpu.total_usage.unwrap_or(0),
            memory_bytes: memory.usage.unwrap_or(0),
            memory_peak_bytes: memory.max_usage,
            processes: stats.pids_stats.unwrap_or_default().current,
        })
    }
}

async fn resize(docker: &bollard::Docker, exec: &str, size: TerminalSize) {
    let options = ResizeExecOptions { height: size.rows, width: size.columns };
    if let Err(error) = docker.resize_exec(exec, options).await {
        tracing::debug!(%error, "the terminal was not resized");
    }
}

fn output_of(piece: LogOutput) -> ExecOutput {
    match piece {
        LogOutput::StdErr { message } => ExecOutput::Stderr(message),
        LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
            ExecOutput::Stdout(message)
        }
    }
}

impl Exec for Docker {
    fn exec<'a>(
        &'a self,
        id: &'a TaskId,
        command: ExecCommand,
    ) -> BoxFuture<'a, Result<ExecSession, SignalFailure>> {
        self.open_session(id, command).boxed()
    }
}

impl Stats for Docker {
    fn stats<'a>(&'a self, id: &'a TaskId) -> BoxFuture<'a, Result<Usage, SignalFailure>> {
        self.measure(id).boxed()
    }
}
