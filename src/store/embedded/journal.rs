//! The file: every live entry and the revision they stand at, in one redb database.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use schemas::entry::Entry;
use schemas::key::{Key, Revision};

use crate::store::any::OpenError;
use crate::store::core::Staged;

/// Key to counters and value, see [`encode`].
const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
/// `revision` and `format`.
const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
/// The layout of the tables; another number is another program's file.
const FORMAT: u64 = 1;
/// The file inside the folder that the user names.
const FILE_NAME: &str = "store.redb";
/// Everything is in memory anyway; the cache only has to hold the pages of a commit.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Three counters before the value.
const HEADER_BYTES: usize = 24;

/// The open file. Its lock is held until it is dropped.
pub(super) struct Journal {
    database: Database,
}

/// What the file said when it was opened.
pub(super) struct Loaded {
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Where it stood; nothing in a new file.
    pub(super) revision: Option<Revision>,
}

impl Journal {
    /// Opens or makes the journal in a folder.
    pub(super) fn open(folder: &Path) -> Result<(Journal, Loaded), OpenError> {
        make(folder).map_err(|error| damaged(folder, &error))?;
        let builder = sized_builder();
        let database = builder.create(folder.join(FILE_NAME)).map_err(|error| {
            if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                OpenError::InUse(folder.to_owned())
            } else {
                damaged(folder, &error)
            }
        })?;
        // The name of a new file is durable only once its folder is.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| damaged(folder, &error))?;
        Journal::over(database).map_err(|error| damaged(folder, &error))
    }

    /// Reads what an open database holds.
    pub(super) fn over(database: Database) -> Result<(Journal, Loaded), redb::Error> {
        let journal = Journal { database };
        journal.mark_format()?;
        let read = journal.database.begin_read()?;
        let revision = read.open_table(STATE)?.get("revision")?.map(|revision| Revision(revision.value()));
        let mut entries = BTreeMap::new();
        for row in read.open_table(ENTRIES)?.iter()? {
            let (key, value) = row?;
            let entry = decode(key.value(), value.value()).ok_or_else(|| {
                StorageError::Corrupted(format!("the entry {} does not parse", key.value()))
            })?;
            entries.insert(entry.key.clone(), entry);
        }
        Ok((journal, Loaded { entries, revision }))
    }

    /// Makes staged revisions durable: returns after fsync, or with nothing promised.
    pub(super) fn append(&self, staged: &Staged) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut entries = write.open_table(ENTRIES)?;
            for (key, now) in staged.changed() {
                match now {
                    Some(entry) => entries.insert(key.as_str(), &*encode(entry))?,
                    None => entries.remove(key.as_str())?,
                };
            }
            write.open_table(STATE)?.insert("revision", staged.revision().0)?;
        }
        Ok(write.commit()?)
    }

    fn mark_format(&self) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut state = write.open_table(STATE)?;
            write.open_table(ENTRIES)?;
            let format = state.get("format")?.map(|format| format.value());
            match format {
                None => drop(state.insert("format", FORMAT)?),
                Some(FORMAT) => {}
                Some(other) => {
                    let text = format!("format {other}; this program reads format {FORMAT}");
                    return Err(StorageError::Corrupted(text).into());
                }
            }
        }
        Ok(write.commit()?)
    }
}

/// Makes the folder unless it is there: for our eyes alone, since jobs may hold what their owners keep secret.
fn make(folder: &Path) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How every journal file is opened.
fn sized_builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Whether an append failed for want of room.
pub(super) fn is_full(error: &redb::Error) -> bool {
    // An error of redb cannot be matched exhaustively; only this one has another next move.
    if let redb::Error::Io(error) = error {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    } else {
        false
    }
}

fn damaged(folder: &Path, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::Unusable { what: folder.display().to_string(), why: error.to_string() }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entry.value.len());
    for counter in [entry.created.0, entry.modified.0, entry.version] {
        bytes.extend_from_slice(&counter.to_le_bytes());
    }
    bytes.extend_from_slice(&entry.value);
    bytes
}

fn decode(key: &str, bytes: &[u8]) -> Option<Entry> {
    let key = Key::new(key).ok()?;
    let (header, value) = bytes.split_at_checked(HEADER_BYTES)?;
    let mut counters = header.chunks_exact(8).map(|chunk| chunk.try_into().map(u64::from_le_bytes));
    let mut counter = || counters.next()?.ok();
    let (created, modified, version) = (Revision(counter()?), Revision(counter()?), counter()?);
    Some(Entry { key, value: Bytes::copy_from_slice(value), created, modified, version })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_new_folder_is_for_our_eyes_alone_and_an_old_one_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("above/new"));
        DirBuilder::new().mode(0o750).create(&old).unwrap();
        for (folder, mode) in [(&old, 0o750), (&new, 0o700)] {
            drop(Journal::open(folder).unwrap());
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, mode, "{}", folder.display());
        }
        let above = fs::metadata(root.path().join("above")).unwrap();
        assert_ne!(above.mode() & 0o055, 0, "tasks find their folders through it");
    }
}
