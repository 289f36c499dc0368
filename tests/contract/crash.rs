//! `kill -9` at any moment: what was acknowledged is there, the rest is there whole or not at all.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use encamp::store::{Embedded, Entry, Limits, OpenError, Store, Txn, WatchError};
use schemas::key::{Prefix, Revision};

use super::world::put;

/// Names the folder for the child; a test run without it is nobody's child.
const FOLDER: &str = "ENCAMP_TEST_CRASH_FOLDER";
const KILLS: usize = 20;
const WRITERS: usize = 6;

/// An acknowledged commit: who wrote it, its number, its revision.
type Acknowledged = BTreeMap<(usize, u64), Revision>;

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for _ in 0..KILLS {
        let (mut child, mut lines) = spawn(folder.path());
        read_some(&mut lines, &mut acknowledged, rand::random_range(1..150));
        for _ in 0..rand::random_range(0..20_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        read_some(&mut lines, &mut acknowledged, usize::MAX);
        check(folder.path(), &acknowledged).await;
    }
    assert!(acknowledged.len() > KILLS, "the children got something done");
}

#[tokio::test]
async fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut lines) = spawn(folder.path());
    read_some(&mut lines, &mut Acknowledged::new(), 1);
    let refused = Embedded::open(folder.path(), Limits::default()).err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(refused, Some(OpenError::InUse(folder.path().to_owned())));
}

#[tokio::test]
async fn a_restart_keeps_counters_and_forgets_history() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), Limits::default()).unwrap();
    for value in ["1", "2", "3"] {
        let txn = Txn { guards: vec![], writes: vec![put("/a/x", value), put("/a/empty", "")] };
        store.commit(txn).await.unwrap();
    }
    let before = store.list(&Prefix::all()).await.unwrap();
    drop(store);
    let store = Embedded::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(store.list(&Prefix::all()).await.unwrap(), before);
    assert_eq!((before.entries[1].version, before.entries[1].created), (3, Revision(2)));
    let past = store.watch(&Prefix::all(), Revision(before.revision.0 - 1)).await;
    assert_eq!(past.err(), Some(WatchError::Compacted));
    assert!(store.watch(&Prefix::all(), before.revision).await.is_ok());
}

/// Starts this very program again as the process to be killed.
fn spawn(folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["contract::crash::child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

/// Reads up to so many acknowledgements, or up to the end.
fn read_some(lines: &mut BufReader<ChildStdout>, acknowledged: &mut Acknowledged, most: usize) {
    let mut seen = 0;
    while seen < most {
        let mut line = String::new();
        // A line cut by the kill was not acknowledged.
        if lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            return;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        if let ["acknowledged", writer, number, revision] = words[..] {
            let commit = (writer.parse().unwrap(), number.parse().unwrap());
            acknowledged.insert(commit, Revision(revision.parse().unwrap()));
            seen += 1;
        }
    }
}

/// The process that is killed; alone it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let store = Embedded::open(folder, Limits::default()).unwrap();
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write_for_ever(store.clone(), writer)));
    futures::future::join_all(writers).await;
}

async fn write_for_ever(store: Embedded, writer: usize) {
    let last = store.list(&Prefix::under(format!("/last/{writer}"))).await.unwrap();
    let mut number = last.entries.first().map_or(0, number_in);
    loop {
        number += 1;
        let text = number.to_string();
        let half = |half: &str| put(&format!("/crash/{writer}/{number}/{half}"), &text);
        let writes = vec![half("a"), put(&format!("/last/{writer}"), &text), half("b")];
        let Revision(revision) = store.commit(Txn { guards: vec![], writes }).await.unwrap();
        writeln!(io::stdout().lock(), "acknowledged {writer} {number} {revision}").unwrap();
    }
}

fn number_in(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
}

async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let store = Embedded::open(folder, Limits::default()).unwrap();
    let listing = store.list(&Prefix::under("/crash/")).await.unwrap();
    let mut halves: BTreeMap<(usize, u64), Vec<&Entry>> = BTreeMap::new();
    for entry in &listing.entries {
        let commit = (entry.key.segment(1).parse().unwrap(), entry.key.segment(2).parse().unwrap());
        halves.entry(commit).or_default().push(entry);
    }
    for (commit, revision) in acknowledged {
        let kept = halves.get(commit).unwrap_or_else(|| panic!("{commit:?} was acknowledged at {revision}"));
        assert_eq!(kept[0].modified, *revision);
    }
    for (commit, kept) in &halves {
        assert_eq!(kept.len(), 2, "{commit:?} is there whole");
        assert!(kept[0].modified == kept[1].modified && kept[0].modified <= listing.revision);
    }
    // Every revision is one of these commits, so none is missing and none was given twice.
    assert_eq!(listing.revision.0, 1 + halves.len() as u64);
    for last in store.list(&Prefix::under("/last/")).await.unwrap().entries {
        let writer: usize = last.key.segment(1).parse().unwrap();
        let newest = halves.keys().rfind(|(other, _)| *other == writer).unwrap();
        assert_eq!((newest.1, last.version), (number_in(&last), number_in(&last)));
    }
}
