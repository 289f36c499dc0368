//! What an operator does with a store that nobody serves: look at all of it, and save what is sound.
//!
//! Both leave the file as it is. What is saved lies in a new file beside it, which goes on at a revision that nobody
//! has seen, so that whoever followed the old one reads everything anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::copy_on_write::CopyOnWrite;
use super::journal::{Examined, FILE_NAME, new_identity, sized_builder, unusable, write_new};
use super::panics::caught;
use super::salvage;
use super::store::Embedded;
use super::survey::{FORMAT, Survey};
use crate::any::OpenError;

/// What a repair makes, beside the damaged file.
const REPAIRED: &str = "store.repaired.redb";

/// What is in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// How many documents are sound.
    pub documents: usize,
    /// The revision it stands at, if that can be read.
    pub revision: Option<u64>,
    /// Everything that is wrong, in sentences; none if it is sound.
    pub faults: Vec<String>,
}

/// What was saved of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The new file.
    pub file: PathBuf,
    /// How many documents it holds.
    pub documents: usize,
    /// What was wrong with the old file.
    pub faults: Vec<String>,
    /// How many documents are lost, where the old file says how many there were.
    pub lost: Option<u64>,
    /// The file could not be opened and was searched: what is found may be older than what was written last, or
    /// deleted since.
    pub is_searched: bool,
}

impl Embedded {
    /// Looks at everything in a folder's store and changes nothing.
    pub fn check(folder: impl AsRef<Path>) -> Result<Inspection, OpenError> {
        let (Examined { survey, .. }, _) = examined(folder.as_ref())?;
        let revision = survey.standing.map(|standing| standing.revision);
        Ok(Inspection { documents: survey.entries.len(), revision, faults: survey.faults })
    }

    /// Copies what is sound of a folder's store into a new file beside the old one; nothing if all of it is sound.
    pub fn repair(folder: impl AsRef<Path>) -> Result<Option<Repaired>, OpenError> {
        let folder = folder.as_ref();
        let failed = |error: &dyn std::fmt::Display| unusable(folder, error);
        let (examined, is_opened) = examined(folder)?;
        let (survey, witness) = (&examined.survey, examined.witness);
        if survey.faults.is_empty() {
            return Ok(None);
        }
        let found = if is_opened {
            survey.entries.clone()
        } else {
            salvage::rows(&fs::read(folder.join(FILE_NAME)).map_err(|error| failed(&error))?)
        };
        let newest = found.values().map(|entry| entry.modified.0).max().unwrap_or_default();
        let seen = survey.standing.map_or(0, |standing| standing.revision).max(newest);
        let revision = seen.max(witness.map_or(0, |witness| witness.revision)) + 1;
        let own = survey.standing.filter(|_| survey.format == Some(FORMAT));
        let identity = witness.map(|witness| witness.identity).or(own.map(|standing| standing.identity));
        let file = folder.join(REPAIRED);
        if file.try_exists().map_err(|error| failed(&error))? {
            let why = "it is there already, from an earlier repair; move it away first".to_owned();
            return Err(OpenError::Unusable { what: file.display().to_string(), why });
        }
        let identity = identity.unwrap_or_else(new_identity);
        write_new(&file, found.values(), identity, revision).map_err(|error| failed(&error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))?;
        let lost = own.map(|standing| standing.tally.rows.saturating_sub(found.len() as u64));
        let (documents, faults) = (found.len(), survey.faults.clone());
        Ok(Some(Repaired { file, documents, faults, lost, is_searched: !is_opened }))
    }
}

/// Looks at a store; if its pages are not sound, once more at what can be read without them. Also whether it could
/// be opened at all.
fn examined(folder: &Path) -> Result<(Examined, bool), OpenError> {
    let mut examined = Examined::of(folder)?;
    if examined.database.is_some() {
        return Ok((examined, true));
    }
    let Some(second) = second_look(folder) else { return Ok((examined, false)) };
    let first = std::mem::replace(&mut examined.survey, second);
    examined.survey.faults.splice(0..0, first.faults);
    Ok((examined, true))
}

/// What can be read of a file whose pages do not match their checksums.
fn second_look(folder: &Path) -> Option<Survey> {
    let file = File::options().read(true).write(true).open(folder.join(FILE_NAME)).ok()?;
    let file = CopyOnWrite::new(file).ok()?;
    let survey = caught(|| {
        let database = sized_builder().create_with_backend(file).ok()?;
        let survey = Survey::of(&database);
        Some(survey)
    });
    survey.ok().flatten().filter(|survey| survey.format == Some(FORMAT) || !survey.entries.is_empty())
}
