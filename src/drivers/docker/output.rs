//! A container's output on its way into rotated files.
//!
//! Every line comes with the daemon's time, and the last one written is remembered beside the files' owner, so that an
//! agent that was away goes on where its predecessor stopped. After a crash the last few lines may come twice.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bollard::{Docker, container::LogOutput, query_parameters::LogsOptionsBuilder};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::answer::Known;
use crate::{
    logs::{LogPlan, RotatingLog, Stream},
    task_id::digest,
};

/// Lines between the daemon and the disk.
const MOST_WAITING: usize = 1024;
/// Stands for a time in the record of a container whose output is complete.
const COMPLETE: &str = "complete";

/// How far a container's output has been copied. Each stream is in order by itself, the two together are not.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    path: PathBuf,
    container: String,
    last: [String; 2],
}

impl Cursor {
    pub(super) fn open(folder: &Path, known: &Known) -> Self {
        let path = folder.join(format!("{}.log", digest(known.id.as_str())));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let times = text.strip_prefix(known.container.as_str()).unwrap_or_default();
        let mut times = times.trim().split(' ').map(str::to_owned);
        let last = [times.next().unwrap_or_default(), times.next().unwrap_or_default()];
        Self { path, container: known.container.clone(), last }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.last[0] == COMPLETE
    }

    fn save(&self) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        fs::write(&draft, format!("{} {} {}", self.container, self.last[0], self.last[1]))?;
        fs::rename(draft, &self.path)
    }

    pub(super) fn complete(&mut self) -> io::Result<()> {
        COMPLETE.clone_into(&mut self.last[0]);
        self.save()
    }

    pub(super) fn remove(folder: &Path, id: &crate::TaskId) {
        match fs::remove_file(folder.join(format!("{}.log", digest(id.as_str())))) {
            Ok(()) | Err(_) => {}
        }
    }

    /// Whole seconds are all that the daemon can be asked for; the rest is skipped line by line.
    fn since(&self) -> i32 {
        let second = |text: &String| text.parse::<Timestamp>().map_or(0, Timestamp::as_second);
        let earliest = self.last.iter().map(second).min().unwrap_or(0);
        i32::try_from(earliest).unwrap_or(0)
    }
}

/// How much of a container's output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// All until it ends.
    Follow,
    /// What the daemon keeps now.
    Kept,
}

/// How a copying ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    /// The daemon had no more to say.
    ToTheEnd,
    /// It broke off, or nothing could be written.
    InPart,
}

/// Copies until the daemon has no more to say or breaks off.
pub(super) async fn copy(docker: &Docker, plan: &LogPlan, cursor: Cursor, reading: Reading) -> Copied {
    let options = LogsOptionsBuilder::default().follow(reading == Reading::Follow).stdout(true).stderr(true);
    let options = options.timestamps(true);
    let options = options.since(cursor.since()).tail("all").build();
    let container = cursor.container.clone();
    let Ok(files) = Files::open(plan, &cursor) else { return Copied::InPart };
    let (lines, arrived) = mpsc::channel(MOST_WAITING);
    let read = async move {
        let mut output = std::pin::pin!(docker.logs(&container, Some(options)));
        while let Some(line) = output.next().await {
            match line {
                Ok(line) => {
                    if lines.send(line).await.is_err() {
                        return Copied::InPart;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, container, "output broke off");
                    return Copied::InPart;
                }
            }
        }
        Copied::ToTheEnd
    };
    let (copied, ()) = tokio::join!(read, write(arrived, files, cursor));
    copied
}

/// The daemon sends line by line. While a batch is being written the next one gathers, so a flood makes batches large.
async fn write(mut arrived: mpsc::Receiver<LogOutput>, mut files: Files, mut cursor: Cursor) {
    let mut batch = Vec::new();
    while arrived.recv_many(&mut batch, MOST_WAITING).await > 0 {
        let lines = std::mem::take(&mut batch);
        let written = tokio::task::spawn_blocking(move || {
            files.write(&lines, &mut cursor);
            (files, cursor)
        });
        let Ok(back) = written.await else { return };
        (files, cursor) = back;
    }
}

/// The two files being written, and the times up to which a predecessor wrote them. Parts of one long line have the
/// same time, so only those times are skipped, not the one written last.
struct Files {
    logs: [RotatingLog; 2],
    written_before: [String; 2],
}

impl Files {
    fn open(plan: &LogPlan, cursor: &Cursor) -> io::Result<Self> {
        let logs = [RotatingLog::open(plan, Stream::Stdout)?, RotatingLog::open(plan, Stream::Stderr)?];
        Ok(Self { logs, written_before: cursor.last.clone() })
    }

    /// A full disk loses output, never the task.
    fn write(&mut self, lines: &[LogOutput], cursor: &mut Cursor) {
        for line in lines {
            let (stream, bytes) = match line {
                LogOutput::StdErr { message } => (1, message),
                LogOutput::StdOut { message }
                | LogOutput::Console { message }
                | LogOutput::StdIn { message } => (0, message),
            };
            let Some((time, text)) = split(bytes) else { continue };
            if time <= self.written_before[stream].as_str() {
                continue;
            }
            time.clone_into(&mut cursor.last[stream]);
            if let Err(error) = self.logs[stream].write(text) {
                tracing::debug!(%error, lost = text.len(), "output of the task could not be written");
            }
        }
        if let Err(error) = cursor.save() {
            tracing::debug!(%error, "the place in the output could not be kept");
        }
    }
}

/// `2026-11-21T01:02:03.123456789Z text`: of fixed width, so that texts compare as times do.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let (time, text) = bytes.split_at(blank);
    Some((std::str::from_utf8(time).ok()?, &text[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskId;

    fn line(time: u32, text: &str) -> LogOutput {
        LogOutput::StdOut { message: format!("2026-11-21T01:02:03.{time:09}Z {text}").into() }
    }

    fn error(time: u32, text: &str) -> LogOutput {
        LogOutput::StdErr { message: format!("2026-11-21T01:02:03.{time:09}Z {text}").into() }
    }

    #[test]
    fn a_second_copy_goes_on_where_the_first_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let plan =
            LogPlan { folder: folder.path().to_owned(), task: "web".into(), max_files: 2, max_bytes: 1000 };
        let known = Known {
            container: "c1".into(),
            id: TaskId::new("default", "web.api.0-v1.0", "web").unwrap(),
            incarnation: 0,
            plan: None,
        };
        let lines =
            [line(5, "one\n"), line(6, "a long "), line(6, "two\n"), error(1, "no\n"), line(30, "three\n")];
        for upto in [4, 5] {
            let mut cursor = Cursor::open(folder.path(), &known);
            Files::open(&plan, &cursor).unwrap().write(&lines[..upto], &mut cursor);
        }
        assert_eq!(
            fs::read_to_string(folder.path().join("web.stdout.0")).unwrap(),
            "one\na long two\nthree\n"
        );
        assert_eq!(fs::read_to_string(folder.path().join("web.stderr.0")).unwrap(), "no\n");
        let mut cursor = Cursor::open(folder.path(), &known);
        assert_eq!(cursor.last, ["2026-11-21T01:02:03.000000030Z", "2026-11-21T01:02:03.000000001Z"]);
        cursor.complete().unwrap();
        assert!(Cursor::open(folder.path(), &known).is_complete());
        let other = Known { container: "c2".into(), ..known };
        assert_eq!(Cursor::open(folder.path(), &other).last, ["", ""], "another container begins anew");
    }
}
