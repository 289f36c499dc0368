//! Files `<task>.<stream>.<n>` that begin anew at a size and disappear at a count.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{contract::LogPolicy, task_id::path_component};

/// How far past the size limit a line may reach before it is cut.
const LONGEST_LINE: usize = 32 * 1024;

/// Which of the two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// Where the output of a task goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlan {
    /// The folder of the allocation's logs.
    pub folder: PathBuf,
    /// The task's name.
    pub task: String,
    /// Files kept per stream.
    pub max_files: u32,
    /// Bytes at which the next file begins.
    pub max_bytes: u64,
}

impl LogPlan {
    /// The plan of a policy; `None` if output is to be thrown away.
    pub fn of(folder: &Path, task: &str, policy: &LogPolicy) -> Option<Self> {
        (!policy.disabled).then(|| Self {
            folder: folder.to_owned(),
            task: task.to_owned(),
            max_files: policy.max_files.max(1),
            max_bytes: u64::from(policy.max_file_size_mb.max(1)) * 1024 * 1024,
        })
    }
}

/// One stream being written.
#[derive(Debug)]
pub struct RotatingLog {
    plan: LogPlan,
    prefix: String,
    folder: PinnedFolder,
    index: u64,
    file: File,
    written: u64,
    is_at_line_start: bool,
}

impl RotatingLog {
    /// Goes on with the newest file, or begins with number 0.
    pub fn open(plan: &LogPlan, stream: Stream) -> io::Result<Self> {
        let prefix = file_prefix(&plan.task, stream);
        let folder = PinnedFolder::open(&plan.folder)?;
        let index = indexes(&folder.path(), &prefix)?.last().copied().unwrap_or(0);
        let file = open(&folder.path(), &prefix, index)?;
        let written = file.metadata()?.len();
        Ok(Self { plan: plan.clone(), prefix, folder, index, file, written, is_at_line_start: true })
    }

    /// Writes it all, beginning new files at line ends where lines are shorter than 32 KiB.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let now = self.fitting(bytes);
            let (first, rest) = bytes.split_at(now);
            self.file.write_all(first)?;
            self.written += now as u64;
            self.is_at_line_start = first.last().map_or(self.is_at_line_start, |last| *last == b'\n');
            if !rest.is_empty() {
                self.rotate()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// How many of the bytes belong into the current file.
    fn fitting(&self, bytes: &[u8]) -> usize {
        let room = usize::try_from(self.plan.max_bytes.saturating_sub(self.written)).unwrap_or(usize::MAX);
        if bytes.len() <= room {
            return bytes.len();
        }
        let line_end = |range: &[u8]| range.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        if let Some(end) = line_end(&bytes[..room]) {
            return end;
        }
        if self.is_at_line_start && self.written > 0 {
            return 0;
        }
        let beyond = &bytes[..bytes.len().min(room + LONGEST_LINE)];
        beyond.iter().position(|byte| *byte == b'\n').map_or(room, |at| at + 1)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let folder = self.folder.path();
        self.file = open(&folder, &self.prefix, self.index + 1)?;
        self.index += 1;
        self.written = 0;
        self.is_at_line_start = true;
        let oldest = (self.index + 1).saturating_sub(u64::from(self.plan.max_files));
        for index in indexes(&folder, &self.prefix)?.into_iter().filter(|index| *index < oldest) {
            match fs::remove_file(folder.join(format!("{}{index}", self.prefix))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The folder as it was when first opened: a task that renames it and puts a link there gains nothing.
#[derive(Debug)]
struct PinnedFolder(File);

impl PinnedFolder {
    fn open(folder: &Path) -> io::Result<Self> {
        let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_DIRECTORY;
        Ok(Self(File::options().read(true).custom_flags(flags.bits()).open(folder)?))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Everything before the number in a log file's name.
pub(super) fn file_prefix(task: &str, stream: Stream) -> String {
    format!("{}.{stream}.", path_component(task))
}

/// The numbers of the files of one stream, ascending.
pub(super) fn indexes(folder: &Path, prefix: &str) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The folder can be written by the task: what it puts in the place of a log file must never lead elsewhere.
fn open(folder: &Path, prefix: &str, index: u64) -> io::Result<File> {
    let path = folder.join(format!("{prefix}{index}"));
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file =
        File::options().create(true).append(true).mode(0o644).custom_flags(flags.bits()).open(&path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("a log file was replaced")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(folder: &Path, max_files: u32, max_bytes: u64) -> LogPlan {
        LogPlan { folder: folder.to_owned(), task: "web".to_owned(), max_files, max_bytes }
    }

    fn shown(folder: &Path) -> String {
        let prefix = file_prefix("web", Stream::Stdout);
        let file = |index: &u64| {
            let text = fs::read_to_string(folder.join(format!("{prefix}{index}"))).unwrap();
            format!("{index}:{}", text.replace('\n', "|"))
        };
        indexes(folder, &prefix).unwrap().iter().map(file).collect::<Vec<_>>().join(" ")
    }

    fn after(max_files: u32, max_bytes: u64, writes: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RotatingLog::open(&plan(folder.path(), max_files, max_bytes), Stream::Stdout).unwrap();
        for write in writes {
            log.write(write.as_bytes()).unwrap();
        }
        shown(folder.path())
    }

    #[test]
    fn files_break_between_lines() {
        assert_eq!(after(9, 8, &["one\ntwo\nthree\nfour\n"]), "0:one|two| 1:three| 2:four|");
        assert_eq!(after(9, 8, &["one\n", "seven77\n"]), "0:one| 1:seven77|");
        assert_eq!(after(9, 4, &["on", "e-long-line\nx\n"]), "0:one-long-line| 1:x|");
    }

    #[test]
    fn lines_without_end_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RotatingLog::open(&plan(folder.path(), 9, 20_000), Stream::Stdout).unwrap();
        log.write(&vec![b'x'; 90_000]).unwrap();
        let size =
            |index: u64| fs::metadata(folder.path().join(format!("web.stdout.{index}"))).unwrap().len();
        assert_eq!([size(0), size(1), size(2), size(3), size(4)], [20_000, 20_000, 20_000, 20_000, 10_000]);
    }

    #[test]
    fn only_the_newest_files_stay() {
        assert_eq!(after(2, 4, &["a\n", "bb\n", "cc\n", "dd\n"]), "2:cc| 3:dd|");
    }

    #[test]
    fn a_new_writer_goes_on_where_the_old_one_stopped() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["one\n", "two\n", "three\n"] {
            let mut log = RotatingLog::open(&plan(folder.path(), 3, 8), Stream::Stdout).unwrap();
            log.write(text.as_bytes()).unwrap();
        }
        assert_eq!(shown(folder.path()), "0:one|two| 1:three|");
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("precious");
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("web.stdout.0")).unwrap();
        assert!(RotatingLog::open(&plan(folder.path(), 3, 8), Stream::Stdout).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
}
