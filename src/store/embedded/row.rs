//! One stored document as bytes that prove themselves, and the seal over all of them.
//!
//! A row is three counters, a check over key, counters and value, and the value. The seal covers what no row can
//! tell of: how many there are, the sum of their checks, and where the store stands. So a row that is changed,
//! missing, doubled or older than it should be is found when the store is opened.

use bytes::Bytes;
use schemas::entry::Entry;
use schemas::key::{Key, Revision};
use sha2::{Digest, Sha256};

/// Three counters before the check, of eight bytes each.
const COUNTER_BYTES: usize = 24;
/// Counters and check, before the value.
const HEADER_BYTES: usize = COUNTER_BYTES + 8;

/// The sum over all rows; adding and taking away need no other row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) sum: u64,
}

impl Tally {
    /// Counts a row in.
    pub(super) fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(check_of(row).unwrap_or_default());
    }

    /// Counts a row out; `false` if it is none.
    #[must_use]
    pub(super) fn take(&mut self, row: &[u8]) -> bool {
        let (Some(check), Some(rows)) = (check_of(row), self.rows.checked_sub(1)) else { return false };
        *self = Tally { rows, sum: self.sum.wrapping_sub(check) };
        true
    }
}

/// What is sealed: changing any of it without the others shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Which store this is; a copy is the same one.
    pub(super) identity: u64,
    /// The last revision; 0 while nothing was ever written.
    pub(super) revision: u64,
    pub(super) tally: Tally,
}

impl Standing {
    /// The seal over it, in a file of this format.
    pub(super) fn seal(&self, format: u64) -> u64 {
        let Standing { identity, revision, tally: Tally { rows, sum } } = *self;
        hash(&[format, identity, revision, rows, sum].map(u64::to_le_bytes).concat(), &[])
    }
}

/// A document as a row.
pub(super) fn encode(entry: &Entry) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER_BYTES + entry.value.len());
    for counter in [entry.created.0, entry.modified.0, entry.version] {
        row.extend_from_slice(&counter.to_le_bytes());
    }
    let check = check(&entry.key, &row, &entry.value);
    row.extend_from_slice(&check.to_le_bytes());
    row.extend_from_slice(&entry.value);
    row
}

/// A row as a document, or what is wrong with it.
pub(super) fn decode(key: &str, row: &[u8]) -> Result<Entry, &'static str> {
    let key = Key::new(key).map_err(|_| "its key is none")?;
    let (header, value) = row.split_at_checked(HEADER_BYTES).ok_or("it is too short")?;
    let (counters, check_there) = header.split_at(COUNTER_BYTES);
    if check(&key, counters, value).to_le_bytes() != check_there {
        return Err("its checksum does not match");
    }
    entry(key, counters, value).ok_or("its counters do not parse")
}

/// A row of the first format, which had no checks.
pub(super) fn decode_unchecked(key: &str, row: &[u8]) -> Result<Entry, &'static str> {
    let key = Key::new(key).map_err(|_| "its key is none")?;
    let (counters, value) = row.split_at_checked(COUNTER_BYTES).ok_or("it is too short")?;
    entry(key, counters, value).ok_or("its counters do not parse")
}

fn entry(key: Key, counters: &[u8], value: &[u8]) -> Option<Entry> {
    let mut counters = counters.chunks_exact(8).map(|chunk| chunk.try_into().map(u64::from_le_bytes));
    let mut counter = || counters.next()?.ok();
    let (created, modified, version) = (Revision(counter()?), Revision(counter()?), counter()?);
    Some(Entry { key, value: Bytes::copy_from_slice(value), created, modified, version })
}

fn check_of(row: &[u8]) -> Option<u64> {
    let check = row.get(COUNTER_BYTES..HEADER_BYTES)?;
    check.try_into().map(u64::from_le_bytes).ok()
}

fn check(key: &Key, counters: &[u8], value: &[u8]) -> u64 {
    // No key holds a zero byte, so where it ends is certain.
    let head = [key.as_str().as_bytes(), &[0], counters].concat();
    hash(&head, value)
}

/// The first eight bytes of SHA-256: no accident makes two of them equal.
pub(super) fn hash(head: &[u8], rest: &[u8]) -> u64 {
    let digest = Sha256::new().chain_update(head).chain_update(rest).finalize();
    let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
    u64::from_le_bytes(*first)
}
