//! A file that was changed behind our back: refused with a reason, or opened with exactly the right content.
//!
//! Each mutant is a copy of a small store, closed well or killed, with flipped bits, cut, zeroed, swapped, garbled or
//! older pages. `MUTANTS` says how many, `SEED` which; a number of a seed is always the same mutant.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use encamp::store::{Embedded, Limits, Listing, OpenError, Store, Txn};
use plan::Write;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::key::Prefix;

use super::world::{delete, key, put};

/// What every run looks at; a campaign has ten thousand.
const FEW: u64 = 150;
const PAGE: usize = 4096;
const FILE: &str = "store.redb";
const MARK: &str = "store.mark";

/// A store as it lies on the disk.
#[derive(Clone)]
struct Image {
    file: Vec<u8>,
    mark: Vec<u8>,
}

impl Image {
    fn of(folder: &Path) -> Image {
        Image { file: fs::read(folder.join(FILE)).unwrap(), mark: fs::read(folder.join(MARK)).unwrap() }
    }

    fn lay(&self, folder: &Path) {
        fs::write(folder.join(FILE), &self.file).unwrap();
        fs::write(folder.join(MARK), &self.mark).unwrap();
    }
}

/// One store, killed and closed well, what it looked like before, and what it holds.
struct Origin {
    killed: Image,
    closed: Image,
    /// Older images of the same store.
    older: Vec<Image>,
    content: Listing,
}

async fn origin() -> Origin {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), Limits::default()).unwrap();
    let commit = async |writes: Vec<Write>| store.commit(Txn { guards: vec![], writes }).await.unwrap();
    let (mut older, small, large) = (Vec::new(), "x".repeat(300), "y".repeat(30_000));
    for round in 0..6 {
        for number in 0..20 {
            let text = if number % 7 == 3 { &large } else { &small };
            commit(vec![put(&format!("/jobs/a/{number}"), &format!("{round}{text}"))]).await;
        }
        commit(vec![delete(&format!("/jobs/a/{round}")), put("/epoch", &round.to_string())]).await;
        older.push(Image::of(folder.path()));
    }
    // The last write is the smallest: the state before it differs least.
    commit(vec![put("/jobs/a/19", "last")]).await;
    let content = store.list(&Prefix::all()).await.unwrap();
    let killed = Image::of(folder.path());
    drop(store);
    Origin { killed, closed: Image::of(folder.path()), older, content }
}

/// Makes the mutant of this number.
fn mutant(origin: &Origin, seed: u64, number: u64) -> (&'static str, Image) {
    let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let mut image = if dice.random() { origin.killed.clone() } else { origin.closed.clone() };
    let older = &origin.older[dice.random_range(0..origin.older.len())];
    let pages = image.file.len() / PAGE;
    // The header is one page of many and has the most to say.
    let anywhere = |dice: &mut StdRng| if dice.random_ratio(1, 3) { 0 } else { dice.random_range(0..pages) };
    let page = |number: usize| number * PAGE..(number + 1) * PAGE;
    let kind = match dice.random_range(0..9) {
        0 | 1 => {
            for _ in 0..dice.random_range(1..=4) {
                let within = if dice.random() { 384 } else { PAGE };
                let at = anywhere(&mut dice) * PAGE + dice.random_range(0..within);
                image.file[at] ^= 1 << dice.random_range(0..8);
            }
            "flipped bits"
        }
        2 => {
            let unit = if dice.random() { PAGE } else { 1 };
            let at = dice.random_range(0..pages * PAGE / unit) * unit;
            image.file.truncate(at);
            "cut"
        }
        3 => {
            for _ in 0..dice.random_range(1..=4) {
                let at = anywhere(&mut dice);
                image.file[page(at)].fill(0);
            }
            "zeroed pages"
        }
        4 => {
            let (one, other) = (anywhere(&mut dice), anywhere(&mut dice));
            let copy = image.file[page(one)].to_vec();
            image.file.copy_within(page(other), one * PAGE);
            image.file[page(other)].copy_from_slice(&copy);
            "swapped pages"
        }
        5 => {
            for _ in 0..dice.random_range(1..=6) {
                let at = anywhere(&mut dice);
                if let Some(old) = older.file.get(page(at)) {
                    image.file[page(at)].copy_from_slice(old);
                }
            }
            "older pages"
        }
        6 => {
            image.file.clone_from(&older.file);
            "older copy"
        }
        7 => {
            let at = anywhere(&mut dice);
            dice.fill(&mut image.file[page(at)]);
            "garbage"
        }
        _ => {
            spoil(&mut image.mark, &mut dice);
            "a bad mark"
        }
    };
    (kind, image)
}

fn spoil(mark: &mut Vec<u8>, dice: &mut StdRng) {
    let at = dice.random_range(0..mark.len());
    if dice.random() {
        mark[at] ^= 1 << dice.random_range(0..8);
    } else {
        mark.truncate(at);
    }
}

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Ten: all that it held could be saved.
    Refused(usize),
    Right,
    Silent,
    Touched,
    Panicked,
}

/// Opens a mutant and, where that succeeds, writes to it and opens it again.
async fn fate(origin: &Origin, image: &Image, folder: &Path) -> (Fate, String) {
    image.lay(folder);
    let open = || catch_unwind(AssertUnwindSafe(|| Embedded::open(folder, Limits::default())));
    let store = match open() {
        Err(_) => return (Fate::Panicked, String::new()),
        Ok(Err(why @ OpenError::Damaged { .. })) => {
            let salvaged = catch_unwind(AssertUnwindSafe(|| salvage(origin, folder)));
            let is_untouched = fs::read(folder.join(FILE)).unwrap() == image.file;
            let fate = match salvaged {
                Err(_) => Fate::Panicked,
                Ok(_) if !is_untouched => Fate::Touched,
                Ok(share) => Fate::Refused(share),
            };
            return (fate, why.to_string());
        }
        Ok(Err(other)) => return (Fate::Silent, other.to_string()),
        Ok(Ok(store)) => store,
    };
    let found = store.list(&Prefix::all()).await.unwrap();
    if found != origin.content {
        return (Fate::Silent, format!("it opened at {} with other content", found.revision));
    }
    let writes = (0..30).map(|number| put(&format!("/more/{number}"), &"z".repeat(5_000))).collect();
    if let Err(error) = store.commit(Txn { guards: vec![], writes }).await {
        return (Fate::Silent, format!("it opened and could not be written: {error}"));
    }
    drop(store);
    let Ok(Ok(store)) = open() else {
        return (Fate::Silent, "it opened once and not again".to_owned());
    };
    let mut found = store.list(&Prefix::all()).await.unwrap().entries;
    found.retain(|entry| entry.key.kind() != "more");
    let fate = if found == origin.content.entries { Fate::Right } else { Fate::Silent };
    (fate, "after one more write".to_owned())
}

/// Looks at what is wrong with a store and saves what is sound; in tenths of all that it held as it was.
fn salvage(origin: &Origin, folder: &Path) -> usize {
    let inspection = Embedded::check(folder).unwrap();
    assert!(!inspection.faults.is_empty(), "what is refused has a fault");
    let repaired = Embedded::repair(folder).unwrap().expect("there was something to repair");
    assert_eq!(repaired.faults, inspection.faults);
    let elsewhere = folder.join("repaired");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(repaired.file, elsewhere.join(FILE)).unwrap();
    fs::copy(folder.join(MARK), elsewhere.join(MARK)).unwrap();
    let store = Embedded::open(&elsewhere, Limits::default()).unwrap();
    let found = futures::executor::block_on(store.list(&Prefix::all())).unwrap();
    assert_eq!(found.entries.len(), repaired.documents);
    assert!(found.revision > origin.content.revision || repaired.documents == 0, "nobody has seen it");
    let wanted = &origin.content.entries;
    let whole = found.entries.iter().filter(|entry| wanted.contains(entry)).count();
    10 * whole / wanted.len()
}

fn number_from(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a campaign says what became of its mutants")]
async fn a_changed_file_is_refused_or_right() {
    let (mutants, seed) = (number_from("MUTANTS", FEW), number_from("SEED", 1));
    let origin = origin().await;
    let place = tempfile::tempdir().unwrap();
    let (mut fates, mut bad) = (BTreeMap::new(), Vec::new());
    for number in 0..mutants {
        let (kind, image) = mutant(&origin, seed, number);
        let folder = place.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let (fate, words) = fate(&origin, &image, &folder).await;
        *fates.entry((kind, fate)).or_insert(0) += 1;
        if !matches!(fate, Fate::Refused(_) | Fate::Right) {
            bad.push(format!("{number} ({kind}): {fate:?} {words}"));
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    println!("{mutants} mutants of seed {seed}: {fates:#?}");
    assert!(bad.is_empty(), "of {mutants} mutants of seed {seed}:\n{}", bad.join("\n"));
    let refused =
        fates.iter().filter(|((_, fate), _)| matches!(fate, Fate::Refused(_))).map(|(_, count)| count);
    assert!(2 * refused.sum::<u64>() > mutants, "most mutants differ where it matters: {fates:?}");
}

/// What an empty folder, an empty file and somebody else's file are.
#[test]
fn only_a_missing_file_is_a_new_store() {
    let open = |content: Option<&[u8]>| {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join(FILE);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let outcome = Embedded::open(folder.path(), Limits::default()).map(drop);
        outcome.map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER"))
    };
    assert_eq!(open(None), Ok(()));
    insta::assert_snapshot!(open(Some(b"")).unwrap_err(), @r"
    the store's file FOLDER/store.redb is not as it was written, and was left as it is: it is empty: a store never is, so what it held is lost. Put a copy back, or remove the file to begin a new store
      `encamp operator store check embedded:FOLDER` lists what is wrong with it, and
      `encamp operator store repair embedded:FOLDER` copies what is sound into a new file
    ");
    insta::assert_snapshot!(open(Some(&b"SQLite format 3\0".repeat(1_000))).unwrap_err(), @r"
    the store's file FOLDER/store.redb is not as it was written, and was left as it is: I/O error: Not a redb database: magic number mismatch (near byte 0)
      `encamp operator store check embedded:FOLDER` lists what is wrong with it, and
      `encamp operator store repair embedded:FOLDER` copies what is sound into a new file
    ");
    insta::assert_snapshot!(open(Some(b"x")).unwrap_err(), @r"
    the store's file FOLDER/store.redb is not as it was written, and was left as it is: I/O error: Not a redb database: magic number mismatch (near byte 0)
      `encamp operator store check embedded:FOLDER` lists what is wrong with it, and
      `encamp operator store repair embedded:FOLDER` copies what is sound into a new file
    ");
}

/// The way out that the refusal of an older copy names.
#[tokio::test]
async fn an_older_copy_is_taken_once_its_mark_is_removed() {
    let origin = origin().await;
    let folder = tempfile::tempdir().unwrap();
    let image = Image { mark: origin.closed.mark.clone(), ..origin.older[2].clone() };
    image.lay(folder.path());
    let refused = Embedded::open(folder.path(), Limits::default()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("it stands at revision 64, but revision 128 was acknowledged"), "{refused}");
    fs::remove_file(folder.path().join(MARK)).unwrap();
    let store = Embedded::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(store.list(&super::world::under("/epoch")).await.unwrap().entries[0].key, key("/epoch"));
}
