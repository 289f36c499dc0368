//! Slots that wait for a node get one, the most important job first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use fit::Demand;
use jiff::Timestamp;
use plan::view::GroupRef;
use plan::{Draft, Note, View, Write};
use schemas::key::Key;
use schemas::placement::{Placement, Wish};
use schemas::report::ClientState;
use schemas::roster::{Index, Slot, allocation_name};

use crate::crowd::{Crowd, Neighbours};
use crate::decide::{Settled, group_at, roster_of};
use crate::explain::explain_on;
use crate::feasible::may_take;
use crate::race::{Avoided, Dislike, Race};
use crate::site::{Claim, Sites};

/// A slot with a node.
struct Found {
    site: usize,
    claim: Claim,
    placement: Placement,
}

/// A slot without one.
struct Waiting<'v> {
    index: &'v Index,
    slot: &'v Slot,
    /// Its predecessor runs on until there is room.
    is_held: bool,
}

/// What one plan shares between the groups it places.
struct Round<'v> {
    view: &'v View,
    sites: Sites<'v>,
    settled: &'v Settled,
    now: Timestamp,
    notes: Vec<Note>,
}

/// Places what waits; says what still waits and why.
pub(crate) fn place(view: &View, settled: &Settled, draft: &mut Draft, now: Timestamp) -> Vec<Note> {
    let mut groups: Vec<&GroupRef> = view.open.pending().map(|(group, _)| group).collect();
    groups.retain(|group| {
        let job = group.job();
        !settled.mending.contains(&job) && !view.is_unreadable(&Key::job(&job.namespace, &job.job))
    });
    if groups.is_empty() {
        return Vec::new();
    }
    let priority = |group: &GroupRef| {
        view.jobs.get(&Key::job(&group.namespace, &group.job)).map_or(0, |job| job.spec.priority)
    };
    groups.sort_by_cached_key(|group| (Reverse(priority(group)), *group));
    let mut round = Round { view, sites: Sites::of(view), settled, now, notes: Vec::new() };
    for groups in groups.chunk_by(|one, next| one.namespace == next.namespace && one.job == next.job) {
        round.place_job(groups, draft);
    }
    round.notes
}

impl<'v> Round<'v> {
    /// The groups of one job; all of it or nothing if the job says so.
    fn place_job(&mut self, groups: &[&'v GroupRef], draft: &mut Draft) {
        let job = groups[0].job();
        let key = Key::job(&job.namespace, &job.job);
        let mut neighbours = Neighbours::of(self.view, &job, &self.sites, &self.settled.stopping);
        let mut found: Vec<(&GroupRef, Found)> = Vec::new();
        let mut missing = 0;
        for group in groups {
            let asked = self.view.open.pending_of(group).count();
            let placed = self.place_group(group, &mut neighbours);
            missing += asked - placed.len();
            found.extend(placed.into_iter().map(|one| (*group, one)));
        }
        let is_whole = self.view.jobs.get(&key).is_some_and(|job| job.spec.all_at_once);
        if is_whole && missing > 0 {
            for (_, found) in &found {
                self.sites.0[found.site].give_back(&found.claim);
            }
            self.note(&job.job, format!("all at once: {missing} instances find no room, so none starts"));
            return;
        }
        for (group, Found { site, claim: _, placement }) in found {
            self.write(group, site, &placement, draft);
        }
    }

    /// Finds nodes for the pending slots of one group, version by version.
    fn place_group(&mut self, group: &'v GroupRef, neighbours: &mut Neighbours) -> Vec<Found> {
        let Some((_, roster)) = roster_of(self.view, group) else { return Vec::new() };
        let mut by_version: BTreeMap<u64, Vec<Waiting>> = BTreeMap::new();
        for index in self.view.open.pending_of(group) {
            let Some(slot) = roster.slot_at(index) else { continue };
            let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
            if self.settled.orphaned.holds(&group.namespace, name) {
                continue;
            }
            by_version.entry(slot.spec).or_default().push(Waiting {
                index,
                slot,
                is_held: self.settled.held.contains(&((*group).clone(), index.clone())),
            });
        }
        self.learn_taken_ports(group);
        let mut found = Vec::new();
        for (version, waiting) in by_version {
            let Some((spec, of_version)) = group_at(self.view, group, version) else {
                self.note(&group.job, format!("v{version} of {} is not in the history", group.group));
                continue;
            };
            let demand = Demand::new(spec, of_version);
            if spec.job_type.is_per_node() {
                self.place_on_each(group, &demand, &waiting, (neighbours, &mut found));
            } else {
                self.place_on_best(group, &demand, &waiting, (neighbours, &mut found));
            }
        }
        found
    }

    /// Numbered slots: each on the best node.
    fn place_on_best(
        &mut self,
        group: &GroupRef,
        demand: &Demand,
        waiting: &[Waiting],
        (neighbours, found): (&mut Neighbours, &mut Vec<Found>),
    ) {
        let crowd = Crowd::new(demand, neighbours, &self.sites);
        let mut race = Race::new(demand, crowd, &self.sites);
        let (failed, nowhere) = (self.failed_on(group, demand), Avoided::new());
        let mut left = 0_u32;
        for Waiting { index, slot, is_held } in waiting {
            let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
            let avoid = failed.get(index).unwrap_or(&nowhere);
            let best = if *is_held { None } else { race.place(&mut self.sites, &name, avoid) };
            match best {
                Some((site, claim)) => {
                    neighbours.add(&group.group, site);
                    let placement = self.placement(group, index, slot, &claim);
                    found.push(Found { site, claim, placement });
                }
                None => left += 1,
            }
        }
        if left > 0 {
            let why = explain_on(demand, race.crowd(), &self.sites, &BTreeSet::new());
            self.note(&format!("{}.{}", group.job, group.group), format!("{left} wait: {why}"));
        }
    }

    /// Slots of nodes: each on its node, if it fits and the rules about neighbours allow it.
    fn place_on_each(
        &mut self,
        group: &GroupRef,
        demand: &Demand,
        waiting: &[Waiting],
        (neighbours, found): (&mut Neighbours, &mut Vec<Found>),
    ) {
        let mut crowd = Crowd::new(demand, neighbours, &self.sites);
        for Waiting { index, slot, is_held } in waiting {
            let Index::Node(node) = index else { continue };
            let Some(number) = self.sites.position(node) else { continue };
            let site = &mut self.sites.0[number];
            if may_take(demand, site).is_err() {
                continue;
            }
            if let Err(unfit) = site.fits(demand) {
                self.note(&format!("{}.{}", group.job, group.group), format!("waits for {node}: {unfit}"));
                continue;
            }
            if *is_held || crowd.admits(demand, number, site.facts()).is_err() {
                continue;
            }
            let name = allocation_name(&group.job, &group.group, index, slot.version, slot.attempt);
            let claim = site.take(demand, &name);
            crowd.add_on(demand, &self.sites, number);
            neighbours.add(&group.group, number);
            let placement = self.placement(group, index, slot, &claim);
            found.push(Found { site: number, claim, placement });
        }
    }

    /// Nodes where earlier attempts failed, by place.
    fn failed_on(&self, group: &GroupRef, demand: &Demand) -> BTreeMap<&'v Index, Avoided> {
        let mut failed: BTreeMap<&Index, Avoided> = BTreeMap::new();
        for key in self.view.open.ended_of(group) {
            let report = self.view.indexes.report(key).filter(|report| report.state == ClientState::Failed);
            let Some((report, placement)) = report.zip(self.view.placements.get(key)) else { continue };
            let Some(site) = self.sites.position(key.segment(1)) else { continue };
            let is_fixed = |port: u16| demand.ask.ports.iter().any(|asked| asked.static_port == Some(port));
            let dislike = match report.port_taken {
                None => Dislike::Failed,
                Some(port) if is_fixed(port) => Dislike::PortTaken,
                // Another port of the node will do.
                Some(_) => continue,
            };
            let known = failed.entry(&placement.index).or_default().entry(site).or_insert(dislike);
            *known = dislike.max(*known);
        }
        failed
    }

    /// Notes which ports earlier attempts of the group could not have.
    fn learn_taken_ports(&mut self, group: &GroupRef) {
        for key in self.view.open.ended_of(group) {
            let taken = self.view.indexes.report(key).and_then(|report| report.port_taken);
            if let (Some(port), Some(site)) = (taken, self.sites.position(key.segment(1))) {
                self.sites.0[site].find_taken(port);
            }
        }
    }

    fn placement(&self, group: &GroupRef, index: &Index, slot: &Slot, claim: &Claim) -> Placement {
        let Claim { amount, cores, ports } = claim.clone();
        Placement {
            job: group.job.clone(),
            group: group.group.clone(),
            index: index.clone(),
            version: slot.version,
            attempt: slot.attempt,
            spec: slot.spec,
            wish: Wish::Run,
            claim: amount,
            cores,
            ports,
            adopts: None,
            placed_at: self.now,
        }
    }

    /// Rests on the job, the roster and all that was believed about the node.
    fn write(&self, group: &GroupRef, site: usize, placement: &Placement, draft: &mut Draft) {
        let node = self.sites.0[site].name;
        let rests_on = [
            Key::job(&group.namespace, &group.job),
            Key::roster(&group.namespace, &group.job, &group.group),
            Key::fingerprint(node),
            Key::node(node),
            Key::health(node),
        ];
        let key = Key::placement(node, &group.namespace, &placement.allocation());
        draft.add(&rests_on, [Write::put(key, placement)]);
    }

    fn note(&mut self, about: &str, text: String) {
        self.notes.push(Note { about: about.to_owned(), text });
    }
}
