//! Where the other instances of a job are: what crowding, spreads and distinct rules count.

use std::collections::{BTreeMap, BTreeSet};

use fit::{Demand, DistinctProperty, Facts, Scope, Term, Unfit};
use plan::View;
use plan::view::JobRef;
use schemas::key::Key;
use schemas::placement::Wish;

use crate::score::Counts;
use crate::site::Sites;

/// The living instances of one job that are to run, and those that this plan places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Neighbours(Vec<(String, usize)>);

impl Neighbours {
    /// As the view knows them, without those that this plan stops.
    pub(crate) fn of(view: &View, job: &JobRef, sites: &Sites, stopping: &BTreeSet<Key>) -> Neighbours {
        let placements = view.indexes.placements_of_job(job).filter_map(|key| {
            let placement = view.placements.get(key)?;
            let is_there =
                placement.wish == Wish::Run && !view.indexes.is_gone(key) && !stopping.contains(key);
            let site = sites.position(key.segment(1)).filter(|_| is_there)?;
            Some((placement.group.clone(), site))
        });
        Neighbours(placements.collect())
    }

    pub(crate) fn add(&mut self, group: &str, site: usize) {
        self.0.push((group.to_owned(), site));
    }
}

/// Counts for one group's race.
#[derive(Debug)]
pub(crate) struct Crowd {
    same_group: BTreeMap<usize, u32>,
    forbidden: BTreeSet<usize>,
    spreads: Vec<Counts>,
    properties: Vec<Counts>,
}

impl Crowd {
    pub(crate) fn new(demand: &Demand, neighbours: &Neighbours, sites: &Sites) -> Crowd {
        let mut crowd = Crowd {
            same_group: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            spreads: vec![Counts::new(); demand.spreads.len()],
            properties: vec![Counts::new(); demand.distinct_properties.len()],
        };
        for (group, site) in &neighbours.0 {
            let facts = sites.0[*site].facts();
            let is_same = *group == demand.group.name;
            let value = |term: &Term| term.of(facts).map(str::to_owned);
            let counted = |rule: &DistinctProperty| is_same || rule.scope == Scope::Job;
            for (rule, counts) in demand.distinct_properties.iter().zip(&mut crowd.properties) {
                count(counts, value(&rule.property).filter(|_| counted(rule)).as_deref());
            }
            if is_same || demand.distinct_hosts == Some(Scope::Job) {
                crowd.forbidden.insert(*site);
            }
            if is_same {
                *crowd.same_group.entry(*site).or_default() += 1;
                for (wanted, counts) in demand.spreads.iter().zip(&mut crowd.spreads) {
                    count(counts, value(&wanted.attribute).as_deref());
                }
            }
        }
        crowd
    }

    pub(crate) fn same_group(&self, site: usize) -> u32 {
        self.same_group.get(&site).copied().unwrap_or(0)
    }

    /// Whether `distinct_hosts` keeps instances off a node.
    pub(crate) fn forbids(&self, demand: &Demand, site: usize) -> bool {
        demand.distinct_hosts.is_some() && self.forbidden.contains(&site)
    }

    /// Whether the rules about neighbours let one more instance be on a node.
    pub(crate) fn admits(&self, demand: &Demand, site: usize, facts: Facts) -> Result<(), Unfit> {
        if self.forbids(demand, site) {
            return Err(Unfit::DistinctHosts);
        }
        let mut values = Vec::new();
        for rule in &demand.distinct_properties {
            let value = rule.property.of(facts).ok_or_else(|| Unfit::DistinctProperty(rule.text.clone()))?;
            values.push(value.to_owned());
        }
        match self.full(demand, &values) {
            Some(rule) => Err(Unfit::DistinctProperty(rule.text.clone())),
            None => Ok(()),
        }
    }

    /// Whether a `distinct_property` lets no more instances have these values.
    pub(crate) fn is_full(&self, demand: &Demand, values: &[String]) -> bool {
        self.full(demand, values).is_some()
    }

    /// The rule that lets no more instances have these values.
    fn full<'d>(&self, demand: &'d Demand, values: &[String]) -> Option<&'d DistinctProperty> {
        let mut rules = demand.distinct_properties.iter().zip(&self.properties).zip(values);
        let full =
            rules.find(|((rule, counts), value)| counts.get(*value).copied().unwrap_or(0) >= rule.limit);
        full.map(|((rule, _), _)| rule)
    }

    /// One more instance of the group on a node.
    pub(crate) fn add_on(&mut self, demand: &Demand, sites: &Sites, site: usize) {
        let facts = sites.0[site].facts();
        let value = |term: &Term| term.of(facts).map(str::to_owned);
        let spreads: Vec<_> = demand.spreads.iter().map(|wanted| value(&wanted.attribute)).collect();
        let rules = demand.distinct_properties.iter();
        let properties: Vec<_> = rules.map(|rule| value(&rule.property).unwrap_or_default()).collect();
        self.add(site, &spreads, &properties);
    }

    pub(crate) fn spreads(&self) -> &[Counts] {
        &self.spreads
    }

    /// One more instance of the group.
    pub(crate) fn add(&mut self, site: usize, spreads: &[Option<String>], properties: &[String]) {
        *self.same_group.entry(site).or_default() += 1;
        self.forbidden.insert(site);
        self.spreads.iter_mut().zip(spreads).for_each(|(counts, value)| count(counts, value.as_deref()));
        self.properties.iter_mut().zip(properties).for_each(|(counts, value)| count(counts, Some(value)));
    }
}

fn count(counts: &mut Counts, value: Option<&str>) {
    if let Some(value) = value {
        *counts.entry(value.to_owned()).or_default() += 1;
    }
}
