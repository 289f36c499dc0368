//! Why instances wait: how many nodes were considered, and what each lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fit::{Demand, Unfit};
use plan::View;
use plan::view::GroupRef;
use schemas::job::JobSpec;

use crate::crowd::{Crowd, Neighbours};
use crate::feasible::may_take;
use crate::site::{Site, Sites};

/// What every node says to one more instance of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// How many nodes there are.
    pub considered: u32,
    /// How many would take one more instance now.
    pub fitting: u32,
    /// How many never will, by reason: conditions, drivers, pools.
    pub filtered: BTreeMap<String, u32>,
    /// How many have no room now, by what is short.
    pub exhausted: BTreeMap<String, u32>,
    /// The nodes that lack least, as sentences: `n3 is 512 MB of memory short`.
    pub nearest: Vec<String>,
}

/// How many near misses are told.
const NEAREST: usize = 3;

/// What every node says to one more instance of the group at a version of its job.
pub fn explain(view: &View, group: &GroupRef, spec: &JobSpec) -> Explanation {
    let Some(of_version) = spec.group(&group.group) else { return Explanation::default() };
    let sites = Sites::of(view);
    let neighbours = Neighbours::of(view, &group.job(), &sites, &BTreeSet::new());
    let demand = Demand::new(spec, of_version);
    let crowd = Crowd::new(&demand, &neighbours, &sites);
    // A node that has its instance is no near miss; only the others are asked.
    let served = if spec.job_type.is_per_node() { nodes_with_instance(view, group) } else { BTreeSet::new() };
    explain_on(&demand, &crowd, &sites, &served)
}

fn nodes_with_instance<'a>(view: &'a View, group: &GroupRef) -> BTreeSet<&'a str> {
    view.indexes.placements_of_group(group).map(|key| key.segment(1)).collect()
}

/// What the nodes say that are not `served` already.
pub(crate) fn explain_on(
    demand: &Demand,
    crowd: &Crowd,
    sites: &Sites,
    served: &BTreeSet<&str>,
) -> Explanation {
    let mut told = Explanation::default();
    let mut near: Vec<(u64, String)> = Vec::new();
    for (number, site) in sites.0.iter().enumerate().filter(|(_, site)| !served.contains(site.name)) {
        told.considered += 1;
        let Err(unfit) = judge(demand, crowd, site, number) else {
            told.fitting += 1;
            continue;
        };
        let counts = if unfit.is_exhausted() { &mut told.exhausted } else { &mut told.filtered };
        *counts.entry(unfit.reason()).or_default() += 1;
        if let Some(distance) = unfit.distance() {
            near.push((distance, format!("{}: {unfit}", site.name)));
        }
    }
    near.sort();
    told.nearest = near.into_iter().take(NEAREST).map(|(_, text)| text).collect();
    told
}

/// Whether a node takes one more instance now.
pub(crate) fn judge(demand: &Demand, crowd: &Crowd, site: &Site, number: usize) -> Result<(), Unfit> {
    may_take(demand, site)?;
    crowd.admits(demand, number, site.facts())?;
    site.fits(demand)
}

impl fmt::Display for Explanation {
    /// `considered 12 nodes: 7 memory, 5 constraint …; nearest n3: 512 MB of memory short`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "considered {} nodes", self.considered)?;
        let counts = self.exhausted.iter().map(|(what, count)| format!("{count} short of {what}"));
        let filtered = self.filtered.iter().map(|(why, count)| format!("{count} {why}"));
        let all: Vec<String> = counts.chain(filtered).collect();
        if !all.is_empty() {
            write!(f, ": {}", all.join(", "))?;
        }
        if !self.nearest.is_empty() {
            write!(f, "; nearest {}", self.nearest.join(", "))?;
        }
        Ok(())
    }
}
