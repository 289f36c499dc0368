//! The file: every live entry and the revision they stand at, in one redb database.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use redb::{Database, DatabaseError};
use schemas::entry::Entry;
use schemas::key::{Key, Revision};

use super::copy_on_write::CopyOnWrite;
use super::mark::{self, Mark, Witness};
use super::panics::caught;
use super::row::{self, Standing};
use super::survey::{DOCUMENTS, ENTRIES, FORMAT, STATE, Survey, UNCHECKED};
use crate::any::OpenError;
use crate::core::Staged;

/// The file inside the folder that the user names.
pub(super) const FILE_NAME: &str = "store.redb";
/// Everything is in memory anyway; the cache only has to hold the pages of a commit.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The open file. Its lock is held until it is dropped.
pub(super) struct Journal {
    database: Database,
    standing: Standing,
    /// Nothing where there is no folder for it.
    mark: Option<Mark>,
}

/// What the file said when it was opened.
pub(super) struct Loaded {
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Where it stood; nothing in a new file.
    pub(super) revision: Option<Revision>,
}

impl Journal {
    /// Opens the journal in a folder, or makes it where there is no file. A file that is not sound is refused and
    /// left as it is.
    pub(super) fn open(folder: &Path) -> Result<(Journal, Loaded), OpenError> {
        make(folder).map_err(|error| unusable(folder, &error))?;
        let path = folder.join(FILE_NAME);
        if !path.try_exists().map_err(|error| unusable(folder, &error))? {
            if let Some(witness) = mark::read(folder) {
                return Err(OpenError::Damaged { file: path, why: missing(witness) });
            }
            create(folder).map_err(|error| unusable(folder, &error))?;
        }
        let Examined { database, file, survey, .. } = Examined::of(folder)?;
        let damaged = |why: String| OpenError::Damaged { file: path.clone(), why };
        let database = match (database, survey.faults.split_first()) {
            (Some(database), None) => database,
            (_, Some((first, []))) => return Err(damaged(first.clone())),
            (_, Some((first, more))) => return Err(damaged(format!("{first} (and {} more)", more.len()))),
            (None, None) => return Err(damaged("it cannot be read".to_owned())),
        };
        file.trust().map_err(|error| unusable(folder, &error))?;
        let mark = Mark::open(folder).map_err(|error| unusable(folder, &error))?;
        Journal::over(database, survey, Some(mark)).map_err(|error| unusable(folder, &error))
    }

    /// Puts an open database into service as it was found.
    pub(super) fn over(
        database: Database,
        survey: Survey,
        mark: Option<Mark>,
    ) -> Result<(Journal, Loaded), redb::Error> {
        let Survey { format, standing, entries, faults } = survey;
        let standing = match standing {
            Some(standing) if faults.is_empty() => standing,
            Some(_) | None => return Err(redb::Error::Corrupted(faults.join("; "))),
        };
        let mut journal = Journal { database, standing, mark };
        if format == Some(UNCHECKED) {
            journal.upgrade(&entries)?;
        }
        journal.bear_witness();
        let revision = (standing.revision > 0).then_some(Revision(standing.revision));
        Ok((journal, Loaded { entries, revision }))
    }

    /// Makes staged revisions durable: returns after fsync, or with nothing promised. After an error the journal
    /// must be opened anew.
    pub(super) fn append(&mut self, staged: &Staged) -> Result<(), redb::Error> {
        let appended = caught(|| self.write(staged));
        self.standing = appended.map_err(redb::Error::Corrupted)??;
        self.bear_witness();
        Ok(())
    }

    fn write(&self, staged: &Staged) -> Result<Standing, redb::Error> {
        let write = self.database.begin_write()?;
        let mut standing = Standing { revision: staged.revision().0, ..self.standing };
        {
            let mut documents = write.open_table(DOCUMENTS)?;
            for (key, now) in staged.changed() {
                let before = match now {
                    Some(entry) => {
                        let row = row::encode(entry);
                        standing.tally.add(&row);
                        documents.insert(key.as_str(), &*row)?
                    }
                    None => documents.remove(key.as_str())?,
                };
                if before.is_some_and(|before| !standing.tally.take(before.value())) {
                    return Err(redb::Error::Corrupted(format!("the document {key} is damaged")));
                }
            }
            seal(&mut write.open_table(STATE)?, &standing)?;
        }
        write.commit()?;
        Ok(standing)
    }

    /// Rewrites a file of the first format; all in one transaction, so an interrupted one is begun anew.
    fn upgrade(&mut self, entries: &BTreeMap<Key, Entry>) -> Result<(), redb::Error> {
        let revision = self.standing.revision;
        self.standing = fill(&self.database, entries.values(), new_identity(), revision)?;
        Ok(())
    }

    fn bear_witness(&self) {
        let Standing { identity, revision, tally: _ } = self.standing;
        let Some(mark) = &self.mark else { return };
        if let Err(error) = mark.set(Witness { identity, revision }) {
            tracing::warn!(%error, "the high-water mark of the store was not written");
        }
    }
}

/// A file that was looked at and not touched.
pub(super) struct Examined {
    /// Nothing if it cannot even be opened. Declared first: it is closed before the file is.
    pub(super) database: Option<Database>,
    pub(super) file: CopyOnWrite,
    pub(super) survey: Survey,
    /// What the mark beside it says.
    pub(super) witness: Option<Witness>,
}

impl Examined {
    /// Looks at the file of a folder: pages, rows, seal and mark.
    pub(super) fn of(folder: &Path) -> Result<Examined, OpenError> {
        let path = folder.join(FILE_NAME);
        let open = File::options().read(true).write(true).open(&path);
        let file = open.map_err(|error| unusable(&path, &error))?;
        let witness = mark::read(folder);
        let is_empty = file.metadata().map_err(|error| unusable(&path, &error))?.len() == 0;
        let file = CopyOnWrite::new(file).map_err(|error| unusable(&path, &error))?;
        let mut survey = Survey::default();
        if is_empty {
            let words = "it is empty: a store never is, so what it held is lost. Put a copy back, or remove the \
                         file to begin a new store";
            survey.faults.push(words.to_owned());
            return Ok(Examined { database: None, file, survey, witness });
        }
        let database = match open_database(&file) {
            Ok(database) => Some(database),
            Err(Refused::InUse) => return Err(OpenError::InUse(folder.to_owned())),
            Err(Refused::Damaged(why)) => {
                survey.faults.push(format!("{why} (near byte {})", file.last_read()));
                None
            }
        };
        if let Some(database) = &database {
            survey = Survey::of(database);
            if survey.faults.is_empty() {
                survey.faults.extend(contradiction(&survey, witness));
            }
        }
        Ok(Examined { database, file, survey, witness })
    }
}

/// The file is not there, and a mark beside it says that it was.
fn missing(witness: Witness) -> String {
    format!(
        "it is missing, but revision {} was acknowledged here: put a copy back, or remove {} to begin a new store",
        witness.revision,
        mark::FILE_NAME
    )
}

/// What a sound file and the mark beside it do not agree on.
fn contradiction(survey: &Survey, witness: Option<Witness>) -> Option<String> {
    let (Some(found), Some(witness)) = (survey.standing, witness) else { return None };
    if survey.format == Some(FORMAT) && found.identity != witness.identity {
        let why = "it is another store than the one that was here; if it was put here on purpose: encamp operator \
                   store restored embedded:PATH";
        return Some(why.to_owned());
    }
    (found.revision < witness.revision).then(|| {
        format!(
            "it stands at revision {}, but revision {} was acknowledged: it is an older copy, or its newest writes \
             are damaged; if it was put back on purpose: encamp operator store restored embedded:PATH",
            found.revision, witness.revision
        )
    })
}

enum Refused {
    InUse,
    Damaged(String),
}

/// Opens a database and compares every page with its checksum. What that mends is mended in memory.
fn open_database(file: &CopyOnWrite) -> Result<Database, Refused> {
    let opened = caught(|| {
        let mut database = sized_builder().create_with_backend(file.clone())?;
        // Pages first: what is read later follows no reference that is not proven.
        let is_clean = database.check_integrity()?;
        Ok((database, is_clean))
    });
    match opened {
        Ok(Ok((database, is_clean))) => {
            if !is_clean {
                tracing::info!("the bookkeeping of the store's file was mended");
            }
            Ok(database)
        }
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(Refused::InUse),
        Ok(Err(error)) => Err(Refused::Damaged(error.to_string())),
        Err(words) => Err(Refused::Damaged(words)),
    }
}

/// Makes a new file: it appears with its content or not at all, so that an empty one is never ours.
fn create(folder: &Path) -> Result<(), redb::Error> {
    let new = folder.join(format!("{FILE_NAME}.new.{}", std::process::id()));
    fs::remove_file(&new)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    write_new(&new, std::iter::empty(), new_identity(), 0)?;
    let path = folder.join(FILE_NAME);
    // Unlike a rename, a link never takes the place of a file that somebody else has made meanwhile.
    match fs::hard_link(&new, &path) {
        Ok(()) => fs::remove_file(&new)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&new)?,
        Err(_) => fs::rename(&new, &path)?,
    }
    // The name of a new file is durable only once its folder is.
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Writes a file of its own with these documents.
pub(super) fn write_new<'a>(
    path: &Path,
    entries: impl Iterator<Item = &'a Entry>,
    identity: u64,
    revision: u64,
) -> Result<(), redb::Error> {
    let database = sized_builder().create(path)?;
    fill(&database, entries, identity, revision).map(drop)
}

/// Puts documents and their seal into a database that holds none, or those of the first format.
pub(super) fn fill<'a>(
    database: &Database,
    entries: impl Iterator<Item = &'a Entry>,
    identity: u64,
    revision: u64,
) -> Result<Standing, redb::Error> {
    let mut standing = Standing { identity, revision, tally: row::Tally::default() };
    let write = database.begin_write()?;
    {
        let mut documents = write.open_table(DOCUMENTS)?;
        for entry in entries {
            let row = row::encode(entry);
            standing.tally.add(&row);
            documents.insert(entry.key.as_str(), &*row)?;
        }
        seal(&mut write.open_table(STATE)?, &standing)?;
    }
    write.delete_table(ENTRIES)?;
    write.commit()?;
    Ok(standing)
}

fn seal(
    state: &mut redb::Table<'_, &'static str, u64>,
    standing: &Standing,
) -> Result<(), redb::StorageError> {
    let Standing { identity, revision, tally: row::Tally { rows, sum } } = *standing;
    let seal = standing.seal(FORMAT);
    let state_now = [
        ("format", FORMAT),
        ("identity", identity),
        ("revision", revision),
        ("rows", rows),
        ("sum", sum),
        ("seal", seal),
    ];
    for (name, number) in state_now {
        state.insert(name, number)?;
    }
    Ok(())
}

/// A number that no other store has.
pub(super) fn new_identity() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
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
pub(super) fn sized_builder() -> redb::Builder {
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

pub(super) fn unusable(place: &Path, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::Unusable { what: place.display().to_string(), why: error.to_string() }
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
