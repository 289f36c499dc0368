//! Who uses a data directory: one process at a time, by a lock (flock) that ends with the process.
//!
//! Two agents over one directory would take each other's tasks for their own. The lock is the proof of life; the pid
//! in the file only names the holder for people. Programs that a holder starts do not inherit it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in the directory.
const FILE: &str = "lock";
/// A process that was just killed lets go of its files a moment after its parent may think it gone.
const DYING: Duration = Duration::from_millis(500);
/// Between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock; let go when it is dropped.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "{folder} is in use by {holder}: nothing was touched. Two processes cannot share a data directory; stop that one first, or name another directory (--data-dir DIR)",
        folder = folder.display()
    )]
    Held {
        /// The directory.
        folder: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// The directory cannot be used.
    #[error(
        "the data directory {folder} cannot be used: {why}. It must be a directory that this user may write",
        folder = folder.display()
    )]
    Unusable {
        /// The directory.
        folder: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
}

impl DataLock {
    /// Takes the lock of a directory, which is made if it is not there. Blocks for half a second at most.
    pub fn take(folder: &Path) -> Result<DataLock, LockError> {
        let unusable = |why| LockError::Unusable { folder: folder.to_owned(), why };
        fs::create_dir_all(folder).map_err(unusable)?;
        let file = open(&folder.join(FILE)).map_err(unusable)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(DataLock { _file: signed(file) }),
                Err(TryLockError::WouldBlock) if waited < DYING => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { folder: folder.to_owned(), holder: holder(folder) });
                }
                Err(TryLockError::Error(why)) => return Err(unusable(why)),
            }
        }
    }

    /// The lock of a directory that somebody left: nothing is made, and nothing is waited for. Nothing if it is held.
    pub fn take_over(folder: &Path) -> io::Result<Option<DataLock>> {
        let file = File::options().read(true).write(true).open(folder.join(FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(DataLock { _file: signed(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A directory that has become read-only is locked all the same: what runs there is still to be looked after.
fn open(path: &Path) -> io::Result<File> {
    let written = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
    match written {
        Err(error) if is_read_only(&error) => File::open(path).map_err(|_| error),
        other => other,
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// Says who holds it. Not being able to is no reason to refuse: the lock holds without.
fn signed(mut file: File) -> File {
    let words = format!("{} {}\n", std::process::id(), words_of("self"));
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(words.as_bytes()));
    if let Err(error) = written {
        tracing::debug!("the holder of the lock is not written down: {error}");
    }
    file
}

/// The holder in words, as it signed.
fn holder(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let (pid, words) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match pid.parse::<u32>() {
        Ok(pid) if words.is_empty() => format!("process {pid}"),
        Ok(pid) => format!("process {pid} ({words})"),
        Err(_) => "another process".to_owned(),
    }
}

/// The first words of a process's command line: `encamp agent`.
fn words_of(process: &str) -> String {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next().unwrap_or_default().into_owned();
    let program = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    [program.unwrap_or_default(), words.next().unwrap_or_default().into_owned()].join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_has_one_user_at_a_time_and_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("data");
        let first = DataLock::take(&new).unwrap();
        let refused = DataLock::take(&new).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        assert!(refused.contains("--data-dir"), "{refused}");
        assert!(DataLock::take_over(&new).unwrap().is_none());
        drop(first);
        assert!(DataLock::take_over(&new).unwrap().is_some());
        DataLock::take(&new).unwrap();
        let mode = fs::metadata(new.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_holder_that_is_about_to_die_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataLock::take(folder.path()).unwrap();
        let dying = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(first);
        });
        DataLock::take(folder.path()).unwrap();
        dying.join().unwrap();
    }

    #[test]
    fn what_cannot_be_a_data_directory_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below"), "/proc/data".into()] {
            let refused = DataLock::take(&path).unwrap_err();
            assert!(matches!(refused, LockError::Unusable { .. }), "{refused}");
            assert!(refused.to_string().contains("cannot be used"), "{refused}");
        }
        assert!(
            DataLock::take_over(folder.path()).is_err(),
            "nothing is made in a directory that is not ours"
        );
    }
}
