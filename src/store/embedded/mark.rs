//! The high-water mark: the revision that was last acknowledged, in a file beside the database.
//!
//! An older copy of the database is sound in itself, and so is the state before the last commit, to which the
//! database falls back when its newest pages are damaged. Only a witness outside tells that something is missing.
//! The mark is written after each commit, without waiting for the disk: it is never ahead of what is durable, and
//! after `kill -9` it is exact. A mark that is missing or does not read bears no witness.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::row::hash;

/// The file in the folder of the store.
pub(super) const FILE_NAME: &str = "store.mark";
/// What it begins with.
const MAGIC: &[u8; 8] = b"encamp\x01\n";
/// Magic, identity, revision, check.
const BYTES: usize = 32;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// Of which store.
    pub(super) identity: u64,
    /// It has stood here.
    pub(super) revision: u64,
}

/// The open mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    /// Opens or makes the mark of a folder.
    pub(super) fn open(folder: &Path) -> io::Result<Mark> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        Ok(Mark { file: options.open(folder.join(FILE_NAME))? })
    }

    /// Writes what holds now.
    pub(super) fn set(&self, witness: Witness) -> io::Result<()> {
        self.file.write_all_at(&encode(witness), 0)
    }
}

/// What the mark of a folder says; nothing if there is none that can be read.
pub(super) fn read(folder: &Path) -> Option<Witness> {
    decode(&std::fs::read(folder.join(FILE_NAME)).ok()?)
}

fn encode(Witness { identity, revision }: Witness) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&identity.to_le_bytes());
    bytes[16..24].copy_from_slice(&revision.to_le_bytes());
    let check = hash(&bytes[..24], &[]);
    bytes[24..].copy_from_slice(&check.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Witness> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    let is_sound = bytes.starts_with(MAGIC) && number(24)? == hash(&bytes[..24], &[]);
    is_sound.then_some(Witness { identity: number(8)?, revision: number(16)? })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_format_of_a_mark_is_a_promise() {
        let witness = Witness { identity: 7, revision: 513 };
        let bytes = encode(witness);
        let mut hex = String::new();
        bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
        insta::assert_snapshot!(hex, @"656e63616d70010a070000000000000001020000000000000a9bcaeab0e01aea");
        assert_eq!(decode(&bytes), Some(witness));
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(decode(&changed), None, "byte {at}");
        }
        assert_eq!(decode(&bytes[..31]), None);
    }
}
