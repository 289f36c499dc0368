//! One output of the task on its way into files.

use std::{
    io::{self, PipeReader, Read as _},
    os::fd::{AsFd, BorrowedFd},
    process::Stdio,
};

use crate::logs::{LogPlan, RotatingLog, Stream};

/// What a pipe holds at most.
const CHUNK: usize = 64 * 1024;

/// A pipe and its files. A full disk loses output, never stops the task: the pipe is always emptied.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Option<PipeReader>,
    log: RotatingLog,
}

/// The two outputs of a task, and what to give the task for them.
pub(super) fn pipes(plan: Option<&LogPlan>) -> io::Result<(Vec<Output>, Stdio, Stdio)> {
    let Some(plan) = plan else { return Ok((Vec::new(), Stdio::null(), Stdio::null())) };
    let (stdout, stdout_end) = io::pipe()?;
    let (stderr, stderr_end) = io::pipe()?;
    let out = Output { pipe: Some(stdout), log: RotatingLog::open(plan, Stream::Stdout)? };
    let err = Output { pipe: Some(stderr), log: RotatingLog::open(plan, Stream::Stderr)? };
    Ok((vec![out, err], stdout_end.into(), stderr_end.into()))
}

impl Output {
    /// What to poll, until everybody has closed the other end.
    pub(super) fn as_open_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what is there; only called when there is something.
    pub(super) fn pump(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut chunk = vec![0; CHUNK];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.keep(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.pipe = None,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Err(error) = self.log.write(bytes) {
            tracing::debug!(%error, lost = bytes.len(), "output of the task could not be written");
        }
    }
}
