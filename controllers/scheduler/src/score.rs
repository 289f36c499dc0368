//! How good a place is. Every score is between about -1 and 1, and a place's score is the mean of those that
//! say something about it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::site::Site;
use fit::{Demand, Wanted};

/// The sum of some scores and how many they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    pub(crate) sum: f64,
    pub(crate) number: u32,
}

impl Scores {
    pub(crate) fn add(self, score: f64) -> Scores {
        Scores { sum: self.sum + score, number: self.number + 1 }
    }

    /// A score of zero says nothing and is left out of the mean.
    pub(crate) fn add_unless_zero(self, score: f64) -> Scores {
        if score == 0.0 { self } else { self.add(score) }
    }

    pub(crate) fn mean(self) -> f64 {
        if self.number == 0 { 0.0 } else { self.sum / f64::from(self.number) }
    }
}

/// What does not depend on where other instances go next: how full the node gets, how many of the group it
/// has already, and what people prefer.
pub(crate) fn of_site(demand: &Demand, site: &Site, same_group: u32) -> Scores {
    Scores::default()
        .add(fullness(demand, site))
        .add_unless_zero(crowding(same_group, demand.group.count()))
        .add_unless_zero(affinity(demand, site))
}

/// The fuller the better, so that whole nodes stay free: 1 for an exactly full one.
fn fullness(demand: &Demand, site: &Site) -> f64 {
    let (cpu, memory) = site.free_after(demand);
    (20.0 - (10f64.powf(cpu) + 10f64.powf(memory))).clamp(0.0, 18.0) / 18.0
}

/// Instances of a group on one node fail together.
fn crowding(same_group: u32, count: u32) -> f64 {
    if same_group == 0 { 0.0 } else { -f64::from(same_group + 1) / f64::from(count.max(1)) }
}

fn affinity(demand: &Demand, site: &Site) -> f64 {
    let facts = site.facts();
    demand.affinities.iter().filter(|(rule, _)| rule.holds(facts)).map(|(_, share)| share).sum()
}

/// How many instances each value of an attribute has.
pub(crate) type Counts = BTreeMap<String, u32>;

/// How much one more instance at `value` helps a spread.
pub(crate) fn spread(wanted: &Wanted, counts: &Counts, value: Option<&str>) -> f64 {
    let Some(value) = value else { return -1.0 };
    let current = counts.get(value).copied().unwrap_or(0);
    if wanted.targets.is_empty() {
        return even(counts, current);
    }
    let target = wanted.targets.iter().find(|(name, _)| name == value).map(|(_, desired)| *desired);
    match target.or(wanted.otherwise) {
        None => -1.0,
        Some(desired) if desired <= 0.0 => -1.0,
        Some(desired) => (desired - f64::from(current + 1)) / desired * wanted.share,
    }
}

/// Values with the fewest instances attract, the others repel.
fn even(counts: &Counts, current: u32) -> f64 {
    let (Some(least), Some(most)) = (counts.values().min(), counts.values().max()) else { return 0.0 };
    let by_least = |difference: f64| difference / f64::from(*least);
    match (current.cmp(least), least < most) {
        (Ordering::Less | Ordering::Greater, _) => by_least(f64::from(*least) - f64::from(current)),
        (Ordering::Equal, true) => by_least(f64::from(most - least)),
        (Ordering::Equal, false) => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fit::Term;

    fn counts(pairs: &[(&str, u32)]) -> Counts {
        pairs.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
    }

    #[test]
    fn even_spread() {
        let wanted = Wanted { attribute: Term::Datacenter, share: 1.0, targets: vec![], otherwise: None };
        let score = |pairs: &[(&str, u32)], value: &str| spread(&wanted, &counts(pairs), Some(value));
        let table = [
            (score(&[], "a"), 0.0),
            (score(&[("a", 1)], "a"), -1.0),
            (score(&[("a", 1)], "b"), 1.0),
            (score(&[("a", 2), ("b", 1)], "a"), -1.0),
            (score(&[("a", 2), ("b", 1)], "b"), 1.0),
            (score(&[("a", 3), ("b", 3)], "a"), -1.0),
        ];
        for (row, (found, expected)) in table.into_iter().enumerate() {
            assert!((found - expected).abs() < 1e-9, "row {row}: {found}, not {expected}");
        }
        assert!((spread(&wanted, &counts(&[("a", 1)]), None) + 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn spread_by_target() {
        let targets = vec![("a".to_owned(), 7.0)];
        let wanted = Wanted { attribute: Term::Datacenter, share: 0.5, targets, otherwise: Some(3.0) };
        let score = |pairs: &[(&str, u32)], value: &str| spread(&wanted, &counts(pairs), Some(value));
        assert!((score(&[], "a") - 6.0 / 7.0 * 0.5).abs() < 1e-9);
        assert!((score(&[("a", 7)], "a") + 1.0 / 7.0 * 0.5).abs() < 1e-9);
        assert!((score(&[("b", 2)], "b")).abs() < 1e-9);
        let strict = Wanted { otherwise: None, ..wanted };
        assert!((spread(&strict, &counts(&[]), Some("b")) + 1.0).abs() < 1e-9);
    }
}
