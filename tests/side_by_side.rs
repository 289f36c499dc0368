//! Random programs of operations, run on the embedded store and on a real etcd: every answer must be the same,
//! revisions counted from where each store stood at the start.

#[expect(dead_code, reason = "programs neither freeze nor kill the server")]
mod common;

use std::cell::Cell;
use std::time::Duration;

use encamp::store::{AnyStore, Batch, Change, Embedded, Entry, Etcd, Limits, Options, Store, Txn, Watch};
use futures::StreamExt;
use plan::{Guard, Write};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use schemas::key::{Key, Prefix, Revision};

/// Enough that a wrong promise is found within a few runs; a program takes some tens of milliseconds.
const PROGRAMS: u32 = 60;
const PATIENCE: Duration = Duration::from_secs(30);
const KEYS: [&str; 6] = ["/a", "/a/b", "/a/bc", "/a/b/c", "/a/b!", "/b/x"];
const PREFIXES: [&str; 8] = ["/", "/a", "/a/", "/a/b", "/a/b/", "", "a", "/zzz"];

/// One step of a program. Revisions are counted from the start of the program.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Condition>, Vec<(&'static str, Option<u8>)>),
    List(Prefix),
    Watch(Prefix, When),
    Compact(When),
}

#[derive(Clone, Debug)]
enum Condition {
    Absent(&'static str),
    At(&'static str, When),
    Term(&'static str, When),
    Unchanged(Prefix, When),
}

/// A revision that is the same on both stores.
#[derive(Clone, Copy, Debug)]
enum When {
    /// So many after the program began.
    FromStart(u64),
    /// So many before the last commit, but not before the program.
    Back(u64),
}

/// Where a store stood when the program began, and where it stands now.
#[derive(Clone, Copy)]
struct Span {
    start: Revision,
    last: Revision,
}

impl Span {
    fn at(self, when: When) -> Revision {
        match when {
            When::FromStart(count) => Revision(self.start.0 + count),
            When::Back(count) => Revision(self.last.0.saturating_sub(count).max(self.start.0)),
        }
    }
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let one = |key| Prefix::one(&Key::new(key).expect("a key"));
    prop_oneof![3 => select(&PREFIXES[..]).prop_map(Prefix::under), 1 => select(&KEYS[..]).prop_map(one)]
}

fn when() -> impl Strategy<Value = When> {
    // Mostly revisions that matter: the latest ones. Sometimes one from the future or out of all bounds.
    prop_oneof![
        8 => (0..4_u64).prop_map(When::Back),
        4 => (0..12_u64).prop_map(When::FromStart),
        1 => Just(When::FromStart(40)),
        1 => Just(When::FromStart(u64::MAX / 2)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || select(&KEYS[..]);
    let condition = prop_oneof![
        2 => key().prop_map(Condition::Absent),
        3 => (key(), when()).prop_map(|(key, at)| Condition::At(key, at)),
        1 => (key(), when()).prop_map(|(key, at)| Condition::Term(key, at)),
        3 => (prefix(), when()).prop_map(|(prefix, at)| Condition::Unchanged(prefix, at)),
    ];
    let conditions = proptest::collection::vec(condition, 0..3);
    let distinct = proptest::collection::btree_map(key(), any::<Option<u8>>(), 0..5);
    let writes = prop_oneof![
        9 => distinct.prop_map(|writes| writes.into_iter().collect()),
        1 => proptest::collection::vec((key(), any::<Option<u8>>()), 0..5),
    ];
    prop_oneof![
        8 => (conditions, writes).prop_map(|(conditions, writes)| Step::Commit(conditions, writes)),
        2 => prefix().prop_map(Step::List),
        2 => (prefix(), when()).prop_map(|(prefix, after)| Step::Watch(prefix, after)),
        1 => when().prop_map(Step::Compact),
    ]
}

#[test]
fn embedded_and_etcd_give_the_same_answers() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Some(server) = runtime.block_on(common::etcd::Etcd::start(&[])) else { return };
    let programs = Cell::new(0);
    let mut runner =
        TestRunner::new(Config { cases: PROGRAMS, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..40), |program| {
        programs.set(programs.get() + 1);
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let options = Options { root: format!("/program/{}", programs.get()), ..Options::default() };
        runtime.block_on(async {
            let embedded = Embedded::open(folder.path(), Limits::default()).expect("an empty folder");
            let etcd = Etcd::open(&[server.endpoint()], &options).await.expect("etcd answers");
            let ours = play(&AnyStore::Embedded(embedded), &program).await;
            let theirs = play(&AnyStore::Etcd(etcd), &program).await;
            assert_eq!(ours, theirs, "embedded to the left, etcd to the right");
        });
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(programs.get() >= PROGRAMS);
}

/// A watch that a program opened, and the revision it began after.
struct Open {
    watch: Watch,
    after: Revision,
    prefix: Prefix,
}

/// Runs a program and writes down every answer, at last everything that its watches tell.
async fn play(store: &AnyStore, program: &[Step]) -> Vec<String> {
    let start = store.list(&Prefix::one(&Key::epoch())).await.expect("it answers").revision;
    let mut span = Span { start, last: start };
    let (mut answers, mut open) = (Vec::new(), Vec::new());
    for step in program {
        answers.push(match step {
            Step::Commit(conditions, writes) => {
                let answer = store.commit(transaction(conditions, writes, span)).await;
                span.last = answer.unwrap_or(span.last);
                format!("{:?}", answer.map(|at| at.0 - start.0))
            }
            Step::List(prefix) => {
                let listing = store.list(prefix).await.expect("it answers");
                let entries = listing.entries.iter().map(|entry| line(entry, start));
                format!("{} {}", listing.revision.0 - start.0, entries.collect::<String>())
            }
            Step::Watch(prefix, after) => {
                let after = span.at(*after);
                let opened = store.watch(prefix, after).await;
                let answer = format!("{:?}", opened.as_ref().err());
                open.extend(opened.map(|watch| Open { watch, after, prefix: prefix.clone() }));
                answer
            }
            Step::Compact(at) => {
                // What an open watch has not shown yet may be lost to it on etcd and is not elsewhere.
                let owed = open.iter().map(|open: &Open| open.after);
                let at = owed.chain([span.last, span.at(*at)]).min().expect("two at least");
                compact(store, at).await;
                "compacted".to_owned()
            }
        });
    }
    let writes: Vec<_> = KEYS.into_iter().chain(["/zzz"]).map(|key| (key, Some(255))).collect();
    let end = store.commit(transaction(&[], &writes, span)).await.expect("nothing stands against it");
    for Open { watch, prefix, .. } in open {
        answers.push(if prefix.as_str() == "a" { String::new() } else { told(watch, start, end).await });
    }
    answers
}

fn transaction(conditions: &[Condition], writes: &[(&str, Option<u8>)], span: Span) -> Txn {
    let key = |text: &str| Key::new(text).expect("a key");
    let guards = conditions.iter().map(|condition| match condition {
        Condition::Absent(text) => Guard::Absent(key(text)),
        Condition::At(text, when) => Guard::At(key(text), span.at(*when)),
        Condition::Term(text, when) => Guard::Term { leader: key(text), term: span.at(*when) },
        Condition::Unchanged(prefix, when) => {
            Guard::Unchanged { prefix: prefix.clone(), since: span.at(*when) }
        }
    });
    let writes = writes.iter().map(|(text, value)| match value {
        Some(value) => Write::Put { key: key(text), value: vec![*value].into() },
        None => Write::Delete { key: key(text) },
    });
    Txn { guards: guards.collect(), writes: writes.collect() }
}

/// Everything a watch tells up to the last commit, which touches every prefix there is.
async fn told(mut watch: Watch, start: Revision, end: Revision) -> String {
    let mut told = String::new();
    loop {
        let next = tokio::time::timeout(PATIENCE, watch.next()).await.expect("a watch is never silent");
        match next.expect("a watch ends with an error") {
            Ok(batch) => {
                told += &picture(&batch, start);
                if batch.revision >= end {
                    return told;
                }
            }
            Err(error) => return format!("{told}{error:?}"),
        }
    }
}

fn picture(batch: &Batch, start: Revision) -> String {
    let changes = batch.changes.iter().map(|change| match change {
        Change::Put(entry) => format!("+{}", line(entry, start)),
        Change::Delete { key } => format!("-{key} "),
    });
    let changes: String = changes.collect();
    // Progress is told at other moments by other stores.
    if changes.is_empty() { changes } else { format!("{}: {changes}\n", batch.revision.0 - start.0) }
}

fn line(entry: &Entry, start: Revision) -> String {
    let Entry { key, value, created, modified, version } = entry;
    format!("{key}={value:?} {}..{} v{version} ", created.0 - start.0, modified.0 - start.0)
}

async fn compact(store: &AnyStore, at: Revision) {
    match store {
        AnyStore::Embedded(store) => store.compact(at),
        AnyStore::Etcd(store) => store.compact(at).await.expect("etcd compacts"),
        AnyStore::Memory(_) | AnyStore::Http(_) => panic!("not compared here"),
    }
}
