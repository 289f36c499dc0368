//! Reads all that a database holds and says what is wrong with it.
//!
//! Whoever opens the store for service refuses at the first fault; `operator store check` lists them all, and
//! `operator store repair` takes what is sound. A damaged page ends the reading from the front; then it is read
//! from the back, so that what lies on the page alone is lost.

use std::collections::BTreeMap;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use schemas::entry::Entry;
use schemas::key::Key;

use super::panics::caught;
use super::row::{self, Standing, Tally};

/// Key to row, see [`row`].
pub(super) const DOCUMENTS: TableDefinition<&str, &[u8]> = TableDefinition::new("documents");
/// The same in the first format: counters and value without a check.
pub(super) const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
/// `format`, `revision` and, since the second format, `identity`, `rows`, `sum` and `seal`.
pub(super) const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
/// The layout of the tables that is written.
pub(super) const FORMAT: u64 = 2;
/// The layout without checks, which is still read.
pub(super) const UNCHECKED: u64 = 1;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Nothing if not even that can be read.
    pub(super) format: Option<u64>,
    /// Where the store stands, by its own word.
    pub(super) standing: Option<Standing>,
    /// What is sound.
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Everything that is wrong, in sentences.
    pub(super) faults: Vec<String>,
}

impl Survey {
    /// Reads everything. Never panics and never stops half way.
    pub(super) fn of(database: &Database) -> Survey {
        let mut survey = Survey::default();
        match caught(|| database.begin_read()) {
            Ok(Ok(read)) => survey.read(&read),
            Ok(Err(error)) => survey.faults.push(format!("it cannot be read: {error}")),
            Err(words) => survey.faults.push(format!("it cannot be read: {words}")),
        }
        survey
    }

    fn read(&mut self, read: &ReadTransaction) {
        let state = match caught(|| state(read)) {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => return self.faults.push(format!("its state cannot be read: {error}")),
            Err(words) => return self.faults.push(format!("its state cannot be read: {words}")),
        };
        self.format = state.get("format").copied();
        match self.format {
            Some(UNCHECKED) => self.unchecked(read, &state),
            Some(FORMAT) => self.checked(read, &state),
            Some(other) => self.faults.push(format!(
                "it is written in format {other}; this program reads formats {UNCHECKED} and {FORMAT}"
            )),
            None => self.faults.push("it does not say in which format it is written".to_owned()),
        }
    }

    /// The first format: what can be told without checks.
    fn unchecked(&mut self, read: &ReadTransaction, state: &BTreeMap<String, u64>) {
        if state.keys().any(|name| !matches!(name.as_str(), "format" | "revision")) {
            self.faults.push("it says to be of the first format and is not".to_owned());
        }
        self.table(read, ENTRIES, row::decode_unchecked);
        let revision = state.get("revision").copied().unwrap_or_default();
        self.counters(revision);
        self.standing = Some(Standing { identity: 0, revision, tally: Tally::default() });
    }

    fn checked(&mut self, read: &ReadTransaction, state: &BTreeMap<String, u64>) {
        let tally = self.table(read, DOCUMENTS, row::decode);
        let number = |name: &str| state.get(name).copied();
        let standing = (|| {
            let told = Tally { rows: number("rows")?, sum: number("sum")? };
            Some(Standing { identity: number("identity")?, revision: number("revision")?, tally: told })
        })();
        let Some(standing) = standing else {
            return self.faults.push("its state is not whole".to_owned());
        };
        if number("seal") != Some(standing.seal(FORMAT)) {
            return self.faults.push("the seal over its state does not match".to_owned());
        }
        let told = standing.tally;
        if tally.rows != told.rows {
            self.faults.push(format!("it should hold {} documents and holds {}", told.rows, tally.rows));
        } else if tally.sum != told.sum {
            self.faults.push("some of its documents are not those that were written last".to_owned());
        }
        self.counters(standing.revision);
        self.standing = Some(standing);
    }

    /// Reads a table from the front and, where that ends at a fault, from the back.
    fn table(
        &mut self,
        read: &ReadTransaction,
        table: TableDefinition<&'static str, &'static [u8]>,
        decode: fn(&str, &[u8]) -> Result<Entry, &'static str>,
    ) -> Tally {
        let (mut tally, mut front, faults) = (Tally::default(), true, self.faults.len());
        loop {
            let walked = caught(|| {
                let rows = read.open_table(table).map_err(redb::Error::from)?;
                let mut range = rows.iter()?;
                let mut last: Option<String> = None;
                while let Some(next) = if front { range.next() } else { range.next_back() } {
                    let (key, value) = next?;
                    let is_in_order = last.as_deref().is_none_or(|last| (last < key.value()) == front);
                    if !is_in_order {
                        return Err(redb::Error::Corrupted("its keys are out of order".to_owned()));
                    }
                    last = Some(key.value().to_owned());
                    self.row(key.value(), value.value(), decode, &mut tally);
                }
                Ok(())
            });
            match walked {
                Ok(Ok(())) => return tally,
                Ok(Err(error)) => self.faults.push(format!("{}: {error}", table.name())),
                Err(words) => self.faults.push(format!("{}: {words}", table.name())),
            }
            if !front {
                self.faults.truncate(self.faults.len().max(faults + 1));
                return tally;
            }
            front = false;
        }
    }

    fn row(
        &mut self,
        key: &str,
        row: &[u8],
        decode: fn(&str, &[u8]) -> Result<Entry, &'static str>,
        tally: &mut Tally,
    ) {
        match decode(key, row) {
            Ok(entry) => {
                if self.entries.insert(entry.key.clone(), entry).is_none() {
                    tally.add(row);
                }
            }
            Err(why) => {
                let fault = format!("the document {key:?}: {why}");
                if !self.faults.contains(&fault) {
                    self.faults.push(fault);
                }
            }
        }
    }

    /// Counters that no history can have made.
    fn counters(&mut self, revision: u64) {
        let wrong = self.entries.values().filter(|entry| {
            let Entry { key: _, value: _, created, modified, version } = entry;
            created.0 < 2 || created > modified || modified.0 > revision || *version == 0
        });
        let faults = wrong.map(|entry| format!("the document {}: its counters cannot be", entry.key));
        let faults: Vec<String> = faults.collect();
        self.faults.extend(faults);
    }
}

fn state(read: &ReadTransaction) -> Result<BTreeMap<String, u64>, redb::Error> {
    let mut state = BTreeMap::new();
    for row in read.open_table(STATE)?.iter()? {
        let (name, number) = row?;
        state.insert(name.value().to_owned(), number.value());
    }
    Ok(state)
}
