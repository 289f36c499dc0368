//! The format of the file is a promise: what is written, byte for byte, and the first format, which is still read.

use std::fmt::Write as _;
use std::path::Path;

use plan::Write;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use schemas::entry::Entry;
use schemas::key::{Key, Prefix, Revision};

use super::journal::{FILE_NAME, Journal, fill};
use super::store::Embedded;
use super::survey::{DOCUMENTS, ENTRIES, STATE, Survey};
use crate::core::{Core, Limits};
use crate::{Store, Txn};

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
    text
}

fn rows(database: &Database, table: TableDefinition<&'static str, &'static [u8]>) -> String {
    let read = database.begin_read().unwrap();
    let mut text = String::new();
    for row in read.open_table(table).unwrap().iter().unwrap() {
        let (key, row) = row.unwrap();
        writeln!(text, "{} {}", key.value(), hex(row.value())).unwrap();
    }
    for row in read.open_table(STATE).unwrap().iter().unwrap() {
        let (name, number) = row.unwrap();
        writeln!(text, "{} {:016x}", name.value(), number.value()).unwrap();
    }
    text
}

fn put(key: &str, value: &str) -> Write {
    Write::Put { key: Key::new(key).unwrap(), value: value.to_owned().into() }
}

#[test]
fn what_is_written_is_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    {
        let database = Database::create(&path).unwrap();
        fill(&database, std::iter::empty(), 7, 0).unwrap();
        let survey = Survey::of(&database);
        let (mut journal, _) = Journal::over(database, survey, None).unwrap();
        let mut core = Core::new(Limits::default());
        for writes in [
            vec![put("/jobs/default/web", "{}"), put("/epoch", "\"e\"")],
            vec![put("/jobs/default/web", "{\"a\":1}"), put("/beats/s1", "")],
            vec![Write::Delete { key: Key::new("/beats/s1").unwrap() }],
        ] {
            let mut staged = core.begin();
            core.stage(&mut staged, Txn { guards: vec![], writes }).unwrap();
            journal.append(&staged).unwrap();
            core.publish(staged);
        }
    }
    insta::assert_snapshot!(rows(&Database::open(&path).unwrap(), DOCUMENTS), @r"
    /epoch 020000000000000002000000000000000100000000000000e99af8176ac1d45d226522
    /jobs/default/web 020000000000000003000000000000000200000000000000654e75a98fdf5c6b7b2261223a317d
    format 0000000000000002
    identity 0000000000000007
    revision 0000000000000004
    rows 0000000000000002
    seal aaec4e0276c8463f
    sum c931a0f9c16de94e
    ");
}

/// A file as the first format had it.
fn unchecked(folder: &Path) {
    let database = Database::create(folder.join(FILE_NAME)).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut entries = write.open_table(ENTRIES).unwrap();
        let row = |counters: [u64; 3], value: &str| {
            [&counters.map(u64::to_le_bytes).concat(), value.as_bytes()].concat()
        };
        entries.insert("/epoch", &*row([2, 2, 1], "\"e\"")).unwrap();
        entries.insert("/jobs/default/web", &*row([2, 3, 2], "{}")).unwrap();
        let mut state = write.open_table(STATE).unwrap();
        state.insert("format", 1).unwrap();
        state.insert("revision", 4).unwrap();
    }
    write.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_format_is_read_and_gets_its_checks() {
    let folder = tempfile::tempdir().unwrap();
    unchecked(folder.path());
    let web = Entry {
        key: Key::job("default", "web"),
        value: "{}".into(),
        created: Revision(2),
        modified: Revision(3),
        version: 2,
    };
    for _ in 0..2 {
        let store = Embedded::open(folder.path(), Limits::default()).unwrap();
        let listing = store.list(&Prefix::all()).await.unwrap();
        assert_eq!((listing.revision, listing.entries.len()), (Revision(4), 2));
        assert_eq!(listing.entries[1], web);
    }
    let database = Database::open(folder.path().join(FILE_NAME)).unwrap();
    assert!(rows(&database, DOCUMENTS).contains("format 0000000000000002"));
    assert!(database.begin_read().unwrap().open_table(ENTRIES).is_err(), "the old rows are gone");
}

#[test]
fn a_format_of_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    unchecked(folder.path());
    let database = Database::open(folder.path().join(FILE_NAME)).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(STATE).unwrap().insert("format", 3).unwrap();
    write.commit().unwrap();
    drop(database);
    let refused = Embedded::open(folder.path(), Limits::default()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("it is written in format 3; this program reads formats 1 and 2"), "{refused}");
}
