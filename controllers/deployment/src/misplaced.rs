//! Which instances stand where the version that is rolled out forbids it: on a node that its rules leave out, or beside
//! too many of their own job.
//!
//! Those could take the change over where they are, but must not: a rollout moves them like those that a change
//! replaces, in its own pace. Of too many at one place those that run the version already stay, then those of the
//! earlier groups and lower numbers. What runs the version is never asked again, so nothing moves twice.

use std::collections::{BTreeMap, BTreeSet};

use fit::{Demand, Facts, Scope, belongs};
use plan::View;
use plan::view::JobRef;
use schemas::group::Group;
use schemas::key::Key;
use schemas::roster::{Index, Roster};

use crate::fate::{Fate, Fates};
use crate::target::{TakingOver, Target};

/// By group: the numbers of the slots that must move.
pub(crate) type Misplaced = BTreeMap<String, BTreeSet<u32>>;

/// An instance that stays where it is unless a rule forbids it.
struct Standing<'a> {
    group: usize,
    number: u32,
    node: &'a str,
    /// It runs the version already.
    is_settled: bool,
}

/// One group of numbered instances.
struct Asked<'a> {
    demand: Demand<'a>,
    group: &'a Group,
}

/// The slots of all groups that must move to reach the target.
pub(crate) fn misplaced(
    view: &View,
    job: &JobRef,
    target: &Target<'_>,
    rosters: &BTreeMap<&str, &Roster>,
) -> Misplaced {
    let is_open = |roster: &Roster| roster.slots.iter().any(|run| run.slot.spec != target.version);
    if target.is_stopped
        || target.spec.job_type.is_per_node()
        || !rosters.values().any(|roster| is_open(roster))
    {
        return Misplaced::new();
    }
    let asked: Vec<Asked> =
        target.groups().map(|group| Asked { demand: Demand::new(target.spec, group), group }).collect();
    let fates: Vec<Fates> = asked.iter().map(|asked| Fates::of(view, job, &asked.group.name)).collect();
    let mut standing = Vec::new();
    for (at, (asked, fates)) in asked.iter().zip(&fates).enumerate() {
        let Some(roster) = rosters.get(asked.group.name.as_str()) else { continue };
        standing.extend(of_group(target, (at, asked.group), roster, fates));
    }
    // Those that run the version already come first, then the order of groups and numbers.
    standing.sort_by_key(|one| (!one.is_settled, one.group, one.number));
    let mut crowd = Crowd::new(&asked);
    let mut misplaced = Misplaced::new();
    for one in standing {
        let fingerprint = view.fingerprints.get(&Key::fingerprint(one.node));
        let Some(facts) = fingerprint.map(|fingerprint| Facts { name: one.node, fingerprint }) else {
            continue;
        };
        if one.is_settled || crowd.takes(one.group, facts) {
            crowd.add(one.group, facts);
        } else {
            misplaced.entry(asked[one.group].group.name.clone()).or_default().insert(one.number);
        }
    }
    misplaced
}

/// The instances of a group that run the version or could take it over where they are.
fn of_group<'f>(
    target: &Target<'_>,
    (at, group): (usize, &Group),
    roster: &Roster,
    fates: &'f Fates<'_>,
) -> Vec<Standing<'f>> {
    let mut taking_over = TakingOver::new(target, group);
    let mut standing = Vec::new();
    for (number, slot) in roster.numbered().filter(|(number, _)| *number < group.count()) {
        let index = Index::Number(number);
        let is_placed = matches!(fates.fate(&index, slot), Fate::Placed { .. });
        let Some(node) = fates.node(&index, slot).filter(|_| is_placed) else { continue };
        let is_settled = slot.spec == target.version;
        // One that is replaced anyway leaves its place.
        let (next, is_old) = taking_over.slot(slot.clone());
        if is_settled || (!is_old && next.spec == target.version) {
            standing.push(Standing { group: at, number, node, is_settled });
        }
    }
    standing
}

/// What the rules about neighbours count, of those that stay.
struct Crowd<'a> {
    asked: &'a [Asked<'a>],
    /// By node: the groups of its instances.
    hosts: BTreeMap<String, Vec<usize>>,
    /// By group, rule and value: how many.
    values: BTreeMap<(usize, usize, String), u32>,
}

impl<'a> Crowd<'a> {
    fn new(asked: &'a [Asked<'a>]) -> Crowd<'a> {
        Crowd { asked, hosts: BTreeMap::new(), values: BTreeMap::new() }
    }

    /// Whether an instance of the group may stay on a node beside those counted so far.
    fn takes(&self, group: usize, facts: Facts) -> bool {
        let demand = &self.asked[group].demand;
        if belongs(demand, facts).is_err() {
            return false;
        }
        let here = self.hosts.get(facts.name).map(Vec::as_slice).unwrap_or_default();
        let is_crowded = match demand.distinct_hosts {
            None => false,
            Some(Scope::Group) => here.contains(&group),
            Some(Scope::Job) => !here.is_empty(),
        };
        let has_room = |(number, rule): (usize, &fit::DistinctProperty)| {
            rule.property.of(facts).is_some_and(|value| {
                let counted = self.values.get(&(group, number, value.to_owned())).copied();
                counted.unwrap_or(0) < rule.limit
            })
        };
        !is_crowded && demand.distinct_properties.iter().enumerate().all(has_room)
    }

    /// Counts one that stays, by the rules of every group that counts it.
    fn add(&mut self, group: usize, facts: Facts) {
        self.hosts.entry(facts.name.to_owned()).or_default().push(group);
        for (other, asked) in self.asked.iter().enumerate() {
            for (number, rule) in asked.demand.distinct_properties.iter().enumerate() {
                let is_counted = other == group || rule.scope == Scope::Job;
                if let Some(value) = rule.property.of(facts).filter(|_| is_counted) {
                    *self.values.entry((other, number, value.to_owned())).or_default() += 1;
                }
            }
        }
    }
}
