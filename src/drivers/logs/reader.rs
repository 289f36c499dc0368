//! Reading rotated logs from anywhere, and following them without polling.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use super::rotating::{Stream, file_prefix, indexes};

/// What one read gives at most.
const CHUNK: usize = 64 * 1024;

/// From which end an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the oldest byte kept.
    Start,
    /// Back from the newest byte.
    End,
}

/// The files of one stream of one task, oldest first.
#[derive(Debug, Clone)]
pub struct LogFiles {
    folder: PathBuf,
    prefix: String,
}

/// A place in a log that moves on.
#[derive(Debug)]
pub struct LogReader {
    files: LogFiles,
    index: u64,
    file: Option<File>,
    offset: u64,
}

impl LogFiles {
    /// The log of a task in its allocation's log folder.
    pub fn new(folder: &Path, task: &str, stream: Stream) -> Self {
        Self { folder: folder.to_owned(), prefix: file_prefix(task, stream) }
    }

    fn indexes(&self) -> io::Result<Vec<u64>> {
        match indexes(&self.folder, &self.prefix) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }

    fn open(&self, index: u64) -> io::Result<Option<File>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
        let path = self.folder.join(format!("{}{index}", self.prefix));
        match File::options().read(true).custom_flags(flags.bits()).open(path) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
            Ok(_) => Err(io::Error::other("a log file was replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A reader at `offset` bytes from the chosen end.
    pub fn read_from(&self, origin: Origin, offset: u64) -> io::Result<LogReader> {
        let mut sizes = Vec::new();
        for index in self.indexes()? {
            let size = fs::metadata(self.folder.join(format!("{}{index}", self.prefix)))
                .map_or(0, |meta| meta.len());
            sizes.push((index, size));
        }
        let total: u64 = sizes.iter().map(|(_, size)| size).sum();
        let mut skip = match origin {
            Origin::Start => offset.min(total),
            Origin::End => total.saturating_sub(offset),
        };
        let newest = sizes.last().map_or(0, |(index, _)| *index);
        let mut place = (newest, sizes.last().map_or(0, |(_, size)| *size));
        for (index, size) in sizes {
            if skip < size || (index == newest && skip == size) {
                place = (index, skip);
                break;
            }
            skip -= size;
        }
        Ok(LogReader { files: self.clone(), index: place.0, file: None, offset: place.1 })
    }
}

impl LogReader {
    /// The next bytes that are there, crossing into newer files; empty at the end.
    pub fn next_chunk(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(bytes) = self.read_here()? {
                return Ok(bytes);
            }
            let Some(newer) = self.files.indexes()?.into_iter().find(|index| *index > self.index) else {
                return Ok(Bytes::new());
            };
            // What was written between the read above and the rotation is still to be read.
            if let Some(bytes) = self.read_here()? {
                return Ok(bytes);
            }
            (self.index, self.file, self.offset) = (newer, None, 0);
        }
    }

    fn read_here(&mut self) -> io::Result<Option<Bytes>> {
        if self.file.is_none() {
            self.file = self.files.open(self.index)?;
            if let Some(file) = &mut self.file {
                file.seek(SeekFrom::Start(self.offset))?;
            }
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut chunk = vec![0; CHUNK];
        let count = file.read(&mut chunk)?;
        self.offset += count as u64;
        chunk.truncate(count);
        Ok((count > 0).then(|| chunk.into()))
    }

    /// The next bytes, waiting for them; empty when the folder is gone. The kernel wakes the reader; nothing is
    /// polled.
    pub async fn follow(&mut self, changes: &LogChanges) -> io::Result<Bytes> {
        loop {
            let bytes = self.next_chunk()?;
            if !bytes.is_empty() || !self.files.folder.exists() {
                return Ok(bytes);
            }
            changes.wait().await?;
        }
    }
}

/// Wakes when anything in a log folder changes, or the folder goes. Made before the first read, it misses nothing.
#[derive(Debug)]
pub struct LogChanges(AsyncFd<OwnedFd>);

impl LogChanges {
    /// Watches a folder.
    #[expect(
        deprecated,
        reason = "the safe constructor; the owned descriptor stays open as long as it is registered"
    )]
    pub fn watch(folder: &Path) -> io::Result<Self> {
        let descriptor = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let kinds = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        inotify::add_watch(&descriptor, folder, kinds)?;
        // A folder in which a reader holds a file does not tell its own end, the one above does.
        let above = folder.parent().unwrap_or(folder);
        inotify::add_watch(
            &descriptor,
            above,
            inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVED_FROM,
        )?;
        Ok(Self(AsyncFd::new(descriptor)?))
    }

    async fn wait(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut unread = [0_u8; 4096];
        // Only that something happened matters, so all that is queued is thrown away at once.
        while rustix::io::read(&self.0, &mut unread).is_ok_and(|count| count > 0) {}
        ready.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogPlan, RotatingLog};

    fn log(folder: &Path) -> RotatingLog {
        let plan = LogPlan { folder: folder.to_owned(), task: "web".to_owned(), max_files: 3, max_bytes: 4 };
        RotatingLog::open(&plan, Stream::Stdout).unwrap()
    }

    fn rest(reader: &mut LogReader) -> String {
        let mut text = String::new();
        loop {
            let chunk = reader.next_chunk().unwrap();
            if chunk.is_empty() {
                return text.replace('\n', "|");
            }
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    #[test]
    fn reading_crosses_files_from_either_end() {
        let folder = tempfile::tempdir().unwrap();
        let files = LogFiles::new(folder.path(), "web", Stream::Stdout);
        assert_eq!(rest(&mut files.read_from(Origin::Start, 0).unwrap()), "");
        log(folder.path()).write(b"one\ntwo\nsix\n").unwrap();
        let table = [
            (Origin::Start, 0),
            (Origin::Start, 5),
            (Origin::Start, 99),
            (Origin::End, 5),
            (Origin::End, 99),
        ];
        let shown = table.map(|(origin, offset)| rest(&mut files.read_from(origin, offset).unwrap()));
        assert_eq!(shown, ["one|two|six|", "wo|six|", "", "|six|", "one|two|six|"]);
    }

    #[tokio::test]
    async fn a_follower_ends_with_the_folder() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("logs");
        fs::create_dir(&folder).unwrap();
        log(&folder).write(b"one\n").unwrap();
        let changes = LogChanges::watch(&folder).unwrap();
        let mut reader = LogFiles::new(&folder, "web", Stream::Stdout).read_from(Origin::Start, 0).unwrap();
        assert_eq!(reader.follow(&changes).await.unwrap(), "one\n");
        let removing = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder));
        let follow = tokio::time::timeout(std::time::Duration::from_secs(20), reader.follow(&changes));
        assert!(follow.await.expect("it waits for ever").unwrap().is_empty());
        removing.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_follower_sees_every_byte_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = log(folder.path());
        let changes = LogChanges::watch(folder.path()).unwrap();
        let files = LogFiles::new(folder.path(), "web", Stream::Stdout);
        let mut reader = files.read_from(Origin::Start, 0).unwrap();
        let writing = tokio::task::spawn_blocking(move || {
            for line in ["one\n", "two\n", "six\n"] {
                writer.write(line.as_bytes()).unwrap();
            }
        });
        let mut seen = Vec::new();
        while seen.len() < 12 {
            seen.extend_from_slice(&reader.follow(&changes).await.unwrap());
        }
        writing.await.unwrap();
        assert_eq!(seen, b"one\ntwo\nsix\n");
    }
}
