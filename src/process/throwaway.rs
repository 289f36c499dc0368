//! The folder of a `dev` without `--data-dir`: new, marked as one to throw away, and removed at the end.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::StartError;
use crate::host::talk;
use node::data_lock::DataLock;

/// What the name of such a folder begins with.
const PREFIX: &str = "encamp-dev-";
/// The file that says so; written once the folder is locked, so that whoever finds it without a holder knows that
/// there was one.
const MARK: &str = "throw-away";

/// A folder that nobody has had before: neither a run that was killed nor somebody else who guessed its name.
pub(super) fn make(parent: &Path) -> Result<(PathBuf, DataLock), StartError> {
    let (word, ..) = uuid::Uuid::new_v4().as_fields();
    let folder = parent.join(format!("{PREFIX}{word:08x}"));
    let failed = |error: std::io::Error| StartError::failed(format!("{}: {error}", folder.display()));
    fs::create_dir(&folder).map_err(failed)?;
    let lock = DataLock::take(&folder).map_err(|error| StartError::failed(error.to_string()))?;
    let words = "`encamp dev` made this folder for itself alone. Once it has ended, all of it may go.\n";
    fs::write(folder.join(MARK), words).map_err(failed)?;
    Ok((folder, lock))
}

/// Removes the folder at the end.
pub(super) fn remove(folder: &Path, lock: DataLock) {
    drop(lock);
    if let Err(error) = fs::remove_dir_all(folder) {
        talk(&format!("could not remove {}: {error}", folder.display()));
    }
}

/// What a folder is that looks like one of these.
#[derive(Debug)]
pub(super) enum Found {
    /// It was ours, and whoever used it is gone; nobody else can take it while the lock is held.
    Left(PathBuf, DataLock),
    /// It may have been: no mark proves it. An earlier version made none.
    Unmarked(PathBuf),
}

/// Looks for folders of ours that nobody uses. Links, folders of other users and those in use are not ours.
pub(super) fn find(parent: &Path) -> Vec<Found> {
    let user = rustix::process::geteuid().as_raw();
    let is_ours = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|found| found.uid() == user && !found.file_type().is_symlink())
    };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let mut folders: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    folders.sort();
    let ours = folders.into_iter().filter(|folder| is_ours(folder) && folder.is_dir());
    ours.filter_map(|folder| {
        if !is_ours(&folder.join(MARK)) {
            return Some(Found::Unmarked(folder));
        }
        let lock = DataLock::take_over(&folder).ok().flatten()?;
        Some(Found::Left(folder, lock))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_new_and_left_once_its_user_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let (one, lock) = make(parent.path()).unwrap();
        let (other, _other_lock) = make(parent.path()).unwrap();
        assert_ne!(one, other);
        assert!(find(parent.path()).is_empty(), "both are in use");
        drop(lock);
        let found = find(parent.path());
        assert!(matches!(&found[..], [Found::Left(folder, _)] if *folder == one), "{found:?}");
        assert!(find(parent.path()).is_empty(), "it was taken");
        drop(found);
        let Some(Found::Left(folder, lock)) = find(parent.path()).pop() else { panic!("it is left again") };
        remove(&folder, lock);
        assert!(!one.exists());
    }

    #[test]
    fn what_only_looks_like_ours_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        fs::create_dir(path("encamp-dev-0")).unwrap();
        fs::create_dir(path("something-else")).unwrap();
        fs::write(path("encamp-dev-1"), "a file").unwrap();
        let (own, lock) = make(&path("something-else")).unwrap();
        drop(lock);
        std::os::unix::fs::symlink(&own, path("encamp-dev-2")).unwrap();
        let found = find(parent.path());
        assert!(
            matches!(&found[..], [Found::Unmarked(folder)] if *folder == path("encamp-dev-0")),
            "{found:?}"
        );
    }
}
