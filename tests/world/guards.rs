//! What the guards are good for: without them the world breaks, and the checker sees it.
//!
//! Plans and agents carry three kinds: `Term`, `At` and `Absent`. No plan of ours carries `Unchanged`.

use std::time::Duration;

use crate::chaos::tell;
use crate::faults::Sabotage;
use crate::stage::Stage;
use crate::story;
use crate::user::{Wish, job};

/// How many seeds may be needed.
const SEEDS: u64 = 60;

/// The rules that break without these guards, and the story in which they do.
fn breaches(sabotage: Sabotage) -> String {
    (0..SEEDS).find_map(|seed| tell(seed, sabotage).err()).expect("no seed needs these guards")
}

#[test]
fn without_terms_an_old_leader_writes() {
    let breaches = breaches(Sabotage::Terms);
    assert!(breaches.lines().any(|line| line.starts_with("I16")), "{breaches}");
}

#[test]
fn without_revisions_the_world_breaks() {
    assert_ne!(breaches(Sabotage::Revisions), "", "the broken rule is named");
}

/// Two people make the same job at the same moment; how many of them are told that theirs was made?
fn creations(sabotage: Sabotage) -> usize {
    let mut created = 0;
    let told = story::told(
        || Stage::new(1, (2, 1), sabotage),
        async |stage| {
            stage.pass(Duration::from_secs(10)).await?;
            for revision in [0, 1] {
                stage.ask(Wish::create(&job("web", "service", 1, revision)));
            }
            stage.pass(Duration::from_secs(1)).await?;
            created = stage.trace.lines.iter().filter(|line| line.ends_with("201 Created")).count();
            Ok(())
        },
    );
    assert!(told.is_ok(), "{}", told.unwrap_err());
    created
}

#[test]
fn without_absences_two_people_make_the_same_job() {
    assert_eq!(creations(Sabotage::None), 1);
    assert_eq!(creations(Sabotage::Absences), 2, "the second overwrites the first");
}
