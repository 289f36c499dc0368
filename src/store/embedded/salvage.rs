//! Documents out of a database that cannot be opened: every page is looked at for rows that prove themselves.
//!
//! Pages that are free still hold what they held: a document may come back older than it was, or although it was
//! deleted. So this is the last resort, and says of itself what it is.

use std::collections::BTreeMap;

use schemas::entry::Entry;
use schemas::key::Key;

use super::row;

const PAGE_BYTES: usize = 4096;
/// The first byte of a page that holds rows.
const LEAF: u8 = 1;
/// Kind, padding and the number of rows.
const HEADER_BYTES: usize = 4;

/// The newest row of each key that is whole somewhere in the file.
pub(super) fn rows(file: &[u8]) -> BTreeMap<Key, Entry> {
    let mut found: BTreeMap<Key, Entry> = BTreeMap::new();
    for start in (0..file.len()).step_by(PAGE_BYTES) {
        for entry in leaf(&file[start..]).into_iter().flatten() {
            let is_newer = found.get(&entry.key).is_none_or(|known| known.modified < entry.modified);
            if is_newer {
                found.insert(entry.key.clone(), entry);
            }
        }
    }
    found
}

/// The sound rows of a page that begins here, which may go on over many pages; nothing if none does.
fn leaf(page: &[u8]) -> Option<Vec<Entry>> {
    let rows = usize::from(u16::from_le_bytes(page.get(2..HEADER_BYTES)?.try_into().ok()?));
    if page[0] != LEAF || rows == 0 {
        return None;
    }
    let number = |at: usize| -> Option<usize> {
        let bytes = page.get(HEADER_BYTES + 4 * at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let (mut key_start, mut value_start) = (HEADER_BYTES + 8 * rows, number(rows - 1)?);
    let mut entries = Vec::new();
    for at in 0..rows {
        let (key_end, value_end) = (number(at)?, number(rows + at)?);
        if let Some(key) = page.get(key_start..key_end)
            && let Some(value) = page.get(value_start..value_end)
            && let Ok(key) = std::str::from_utf8(key)
        {
            entries.extend(row::decode(key, value));
        }
        (key_start, value_start) = (key_end, value_end);
    }
    Some(entries)
}
