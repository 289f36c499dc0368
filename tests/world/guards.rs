//! What the guards are good for: without them the world breaks, and the checker sees it.

use crate::chaos::tell;
use crate::faults::Sabotage;

/// How many seeds may be needed.
const SEEDS: u64 = 60;

/// The first rule that breaks without these guards.
fn first_breach(sabotage: Sabotage) -> String {
    let breach = (0..SEEDS).find_map(|seed| tell(seed, sabotage).err());
    breach.expect("no seed needs these guards").lines().next().unwrap_or_default().to_owned()
}

#[test]
fn without_terms_an_old_leader_writes() {
    let breach = first_breach(Sabotage::Terms);
    assert!(breach.starts_with("I16"), "{breach}");
}

#[test]
fn without_revisions_the_world_breaks() {
    assert_ne!(first_breach(Sabotage::Revisions), "", "the broken rule is named");
}
