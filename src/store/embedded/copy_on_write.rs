//! A file that is not written to before it is trusted: copy-on-write for the database.
//!
//! redb mends a file while it opens it: after a crash that is its work, on a damaged file it would write over what
//! could still be saved. So everything it writes stays in memory, in order, until whoever reads the content says
//! that it is sound ([`CopyOnWrite::trust`]); then it is done to the file, and from there on nothing stands between.
//! A file that is not trusted is left as it was, to the byte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// What is kept of a page that was written; no reason to be of any other size than the database's own pages.
const BLOCK_BYTES: usize = 4096;

/// A handle on the file. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct CopyOnWrite(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: FileBackend,
    /// Nothing once the file is trusted.
    pending: Mutex<Option<Pending>>,
    last_read: AtomicU64,
}

/// What would have been done to the file.
#[derive(Debug)]
struct Pending {
    len: u64,
    /// The least length there was meanwhile: what the file holds after it is gone.
    kept_len: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

impl CopyOnWrite {
    pub(super) fn new(file: File) -> Result<CopyOnWrite, DatabaseError> {
        let len = file.metadata()?.len();
        let file = FileBackend::new(file)?;
        let pending = Pending { len, kept_len: len, blocks: BTreeMap::new(), steps: Vec::new() };
        let pending = Mutex::new(Some(pending));
        Ok(CopyOnWrite(Arc::new(Inner { file, pending, last_read: AtomicU64::new(0) })))
    }

    /// Where the file was last read: near what was found to be wrong.
    pub(super) fn last_read(&self) -> u64 {
        self.0.last_read.load(Ordering::Relaxed)
    }

    /// Does to the file what waited, in the order in which it was asked for.
    pub(super) fn trust(&self) -> io::Result<()> {
        let mut pending = self.pending();
        if let Some(waiting) = pending.as_ref() {
            for step in &waiting.steps {
                match step {
                    Step::Write(offset, data) => self.0.file.write(*offset, data)?,
                    Step::SetLen(len) => self.0.file.set_len(*len)?,
                    Step::Sync => self.0.file.sync_data()?,
                }
            }
        }
        *pending = None;
        Ok(())
    }

    fn pending(&self) -> MutexGuard<'_, Option<Pending>> {
        // Whoever panicked while holding it panicked over a damaged file, which is not trusted any more.
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn read(&self, file: &FileBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        if end > self.len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before that"));
        }
        let from_file = self.kept_len.saturating_sub(offset).min(out.len() as u64);
        let from_file = usize::try_from(from_file).expect("it is at most the length of a slice");
        let (held, new) = out.split_at_mut(from_file);
        if !held.is_empty() {
            file.read(offset, held)?;
        }
        new.fill(0);
        for (number, from, range) in parts(offset, out.len()) {
            if let Some(block) = self.blocks.get(&number) {
                let len = range.len();
                out[range].copy_from_slice(&block[from..from + len]);
            }
        }
        Ok(())
    }

    fn write(&mut self, file: &FileBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        for (number, from, range) in parts(offset, data.len()) {
            if !self.blocks.contains_key(&number) {
                let mut block = Box::new([0; BLOCK_BYTES]);
                let start = number * BLOCK_BYTES as u64;
                let held = self.len.saturating_sub(start).min(BLOCK_BYTES as u64);
                let held = usize::try_from(held).expect("it is at most a block");
                self.read(file, start, &mut block[..held])?;
                self.blocks.insert(number, block);
            }
            let block = self.blocks.get_mut(&number).expect("it was just put there");
            block[from..from + range.len()].copy_from_slice(&data[range]);
        }
        self.steps.push(Step::Write(offset, data.to_vec()));
        Ok(())
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.kept_len = self.kept_len.min(len);
            let first_gone = len.div_ceil(BLOCK_BYTES as u64);
            self.blocks.split_off(&first_gone);
            let within = usize::try_from(len % BLOCK_BYTES as u64).expect("it is less than a block");
            if let Some(block) = self.blocks.get_mut(&(len / BLOCK_BYTES as u64)) {
                block[within..].fill(0);
            }
        }
        self.len = len;
        self.steps.push(Step::SetLen(len));
    }
}

/// The blocks that a range touches: number, where in the block, where in the range.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let from = usize::try_from(at % BLOCK_BYTES as u64).expect("it is less than a block");
        let range = done..len.min(done + BLOCK_BYTES - from);
        done = range.end;
        Some((at / BLOCK_BYTES as u64, from, range))
    })
}

impl StorageBackend for CopyOnWrite {
    fn len(&self) -> io::Result<u64> {
        match &*self.pending() {
            Some(pending) => Ok(pending.len),
            None => self.0.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.last_read.store(offset, Ordering::Relaxed);
        match &*self.pending() {
            Some(pending) => pending.read(&self.0.file, offset, out),
            None => self.0.file.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match &mut *self.pending() {
            Some(pending) => {
                pending.set_len(len);
                Ok(())
            }
            None => self.0.file.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match &mut *self.pending() {
            Some(pending) => {
                pending.steps.push(Step::Sync);
                Ok(())
            }
            None => self.0.file.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &mut *self.pending() {
            Some(pending) => pending.write(&self.0.file, offset, data),
            None => self.0.file.write(offset, data),
        }
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_as_it_was_until_it_is_trusted_and_then_as_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().write_all(&[7; 10_000]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let seen = CopyOnWrite::new(file).unwrap();
        seen.write(4_000, &[1; 200]).unwrap();
        seen.set_len(9_000).unwrap();
        seen.set_len(12_000).unwrap();
        seen.write(9_500, &[2; 10]).unwrap();
        let mut expected = vec![7; 9_000];
        expected.resize(12_000, 0);
        expected[4_000..4_200].fill(1);
        expected[9_500..9_510].fill(2);
        let mut whole = vec![9; 12_000];
        seen.read(0, &mut whole).unwrap();
        assert!(whole == expected, "it shows what was written");
        assert!(seen.read(11_999, &mut [0; 2]).is_err(), "nothing is behind the end");
        assert_eq!(std::fs::read(&path).unwrap(), [7; 10_000]);
        seen.trust().unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
        seen.write(0, &[3]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[0], 3);
    }
}
