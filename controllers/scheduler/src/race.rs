//! The best node for one instance of a group after another.
//!
//! All instances of a group ask for the same, so placing one changes the score of one node only. Nodes wait
//! in sorted lanes: those of a lane share their spread and distinct values and the number of their scores, so
//! what other instances change moves a whole lane at once and the order inside it never. The best node is the
//! best of the lanes' first: exact, and O(lanes + log nodes) an instance.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use crate::crowd::Crowd;
use crate::feasible::may_take;
use crate::score::{Counts, Scores, of_site, spread};
use crate::site::{Claim, Sites};
use fit::{Demand, Term};

/// Nodes that are taken only if the others are worse, or there are none.
pub(crate) type Avoided = BTreeMap<usize, Dislike>;

/// Why a node is avoided, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dislike {
    /// An earlier attempt failed there.
    Failed,
    /// Somebody else has a port there that no other port can stand for.
    PortTaken,
}

impl Dislike {
    /// What the node's score is lowered by. A single score is at least about -1: where the port is taken, any other
    /// node is better.
    fn penalty(self) -> f64 {
        match self {
            Dislike::Failed => -1.0,
            Dislike::PortTaken => -1000.0,
        }
    }
}

/// Nodes that wait to be chosen for a group.
#[derive(Debug)]
pub(crate) struct Race<'d, 'a> {
    demand: &'d Demand<'a>,
    crowd: Crowd,
    lanes: BTreeMap<Lane, BTreeSet<Runner>>,
}

/// What the nodes of a lane have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    spreads: Vec<Option<String>>,
    properties: Vec<String>,
    number: u32,
}

/// One node in its lane; the greatest is the best.
#[derive(Clone, Copy, Debug)]
struct Runner {
    sum: f64,
    site: Reverse<usize>,
}

impl PartialEq for Runner {
    fn eq(&self, other: &Runner) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Runner {}
impl PartialOrd for Runner {
    fn partial_cmp(&self, other: &Runner) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Runner {
    fn cmp(&self, other: &Runner) -> Ordering {
        self.sum.total_cmp(&other.sum).then(self.site.cmp(&other.site))
    }
}

impl<'d, 'a> Race<'d, 'a> {
    /// Lines up every node that can take an instance.
    pub(crate) fn new(demand: &'d Demand<'a>, crowd: Crowd, sites: &Sites) -> Race<'d, 'a> {
        let mut race = Race { demand, crowd, lanes: BTreeMap::new() };
        for (number, site) in sites.0.iter().enumerate() {
            if may_take(demand, site).is_ok() {
                race.line_up(sites, number);
            }
        }
        race
    }

    /// Puts a node that may take instances into its lane, if it has room.
    fn line_up(&mut self, sites: &Sites, number: usize) {
        let site = &sites.0[number];
        if site.fits(self.demand).is_err() || self.crowd.forbids(self.demand, number) {
            return;
        }
        let facts = site.facts();
        let value = |term: &Term| term.of(facts).map(str::to_owned);
        let properties: Option<Vec<String>> =
            self.demand.distinct_properties.iter().map(|rule| value(&rule.property)).collect();
        let Some(properties) = properties else { return };
        let scores = of_site(self.demand, site, self.crowd.same_group(number));
        let lane = Lane {
            spreads: self.demand.spreads.iter().map(|wanted| value(&wanted.attribute)).collect(),
            properties,
            number: scores.number,
        };
        let runner = Runner { sum: scores.sum, site: Reverse(number) };
        self.lanes.entry(lane).or_default().insert(runner);
    }

    /// The best node now, and what the instance gets there. Nodes in `avoid` are penalised.
    pub(crate) fn place(
        &mut self,
        sites: &mut Sites,
        allocation: &str,
        avoid: &Avoided,
    ) -> Option<(usize, Claim)> {
        let (lane, runner) = self.best(avoid)?;
        let number = runner.site.0;
        if let Some(runners) = self.lanes.get_mut(&lane) {
            runners.remove(&runner);
            if runners.is_empty() {
                self.lanes.remove(&lane);
            }
        }
        let claim = sites.0[number].take(self.demand, allocation);
        self.crowd.add(number, &lane.spreads, &lane.properties);
        self.line_up(sites, number);
        Some((number, claim))
    }

    /// Where the instances are now.
    pub(crate) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    fn best(&self, avoid: &Avoided) -> Option<(Lane, Runner)> {
        let mut best: Option<(f64, Runner, &Lane)> = None;
        for (lane, runners) in &self.lanes {
            if self.crowd.is_full(self.demand, &lane.properties) {
                continue;
            }
            let boost = boost(self.demand, self.crowd.spreads(), lane);
            for runner in firsts(runners, avoid) {
                let scores = Scores { sum: runner.sum, number: lane.number }.add_unless_zero(boost);
                let dislike = avoid.get(&runner.site.0);
                let score = dislike.map_or(scores, |dislike| scores.add(dislike.penalty())).mean();
                let is_better = best.is_none_or(|(known, other, _)| {
                    score.total_cmp(&known).then(runner.site.cmp(&other.site)).is_gt()
                });
                if is_better {
                    best = Some((score, *runner, lane));
                }
            }
        }
        best.map(|(_, runner, lane)| (lane.clone(), runner))
    }
}

/// The best of a lane that is not avoided, and the avoided ones before it.
fn firsts<'r>(runners: &'r BTreeSet<Runner>, avoid: &Avoided) -> impl Iterator<Item = &'r Runner> {
    let mut is_found = false;
    runners.iter().rev().take_while(move |runner| {
        let is_wanted = !is_found;
        is_found = !avoid.contains_key(&runner.site.0);
        is_wanted
    })
}

fn boost(demand: &Demand, counts: &[Counts], lane: &Lane) -> f64 {
    let pairs = demand.spreads.iter().zip(counts).zip(&lane.spreads);
    pairs.map(|((wanted, counts), value)| spread(wanted, counts, value.as_deref())).sum()
}
