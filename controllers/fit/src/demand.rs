//! What one instance of a group asks of a node, made ready to be asked of many.

use std::collections::BTreeSet;

use schemas::ask::Ask;
use schemas::group::Group;
use schemas::job::JobSpec;
use schemas::node::Amount;
use schemas::placement_rules::{Affinity, Constraint, Operator};
use schemas::task::Task;
use schemas::volume::VolumeType;

use crate::rule::{Rule, Term};

/// What one instance of a group asks of a node.
#[derive(Debug)]
pub struct Demand<'a> {
    /// The version of the job.
    pub spec: &'a JobSpec,
    /// The group of that version.
    pub group: &'a Group,
    /// What it takes of a node's room.
    pub ask: Ask,
    /// Conditions on the node alone.
    pub rules: Vec<Rule>,
    /// The drivers of its tasks.
    pub drivers: BTreeSet<&'a str>,
    /// Whether a container of it joins the network of the node.
    pub joins_host_network: bool,
    /// The host volumes it mounts.
    pub host_volumes: Vec<(&'a str, Access)>,
    /// Whether no two instances may share a node, and whose instances count.
    pub distinct_hosts: Option<Scope>,
    /// How many instances may share the value of an attribute.
    pub distinct_properties: Vec<DistinctProperty>,
    /// What is preferred, each with its share of the weights.
    pub affinities: Vec<(Rule, f64)>,
    /// How instances should be distributed.
    pub spreads: Vec<Wanted>,
}

/// Whether tasks write to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They only read.
    Read,
    /// One of them writes.
    Write,
}

/// Whose instances a distinct rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of all groups.
    Job,
    /// Those of the group alone.
    Group,
}

/// At most so many instances share a value.
#[derive(Clone, Debug)]
pub struct DistinctProperty {
    /// Whose values.
    pub property: Term,
    /// How many instances may have the same one.
    pub limit: u32,
    /// Whose instances count.
    pub scope: Scope,
    /// As people wrote it.
    pub text: String,
}

/// How instances should be distributed over the values of an attribute.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose values.
    pub attribute: Term,
    /// Its share of all spreads' weights.
    pub share: f64,
    /// How many instances each value should have; none for an even spread.
    pub targets: Vec<(String, f64)>,
    /// How many each value that is not listed should have, if any may.
    pub otherwise: Option<f64>,
}

impl<'a> Demand<'a> {
    /// What the group asks for at that version of its job.
    pub fn new(spec: &'a JobSpec, group: &'a Group) -> Demand<'a> {
        let of_tasks = group.tasks.iter().flat_map(|task| &task.constraints);
        let of_group = || group.constraints.iter().chain(of_tasks.clone());
        let constraints = || spec.constraints.iter().chain(of_group());
        let rules =
            constraints().filter_map(|rule| Rule::of(&rule.attribute, rule.operator, &rule.value)).collect();
        let mut distinct: Vec<(Scope, &Constraint)> =
            spec.constraints.iter().map(|rule| (Scope::Job, rule)).collect();
        distinct.extend(of_group().map(|rule| (Scope::Group, rule)));
        Demand {
            spec,
            group,
            ask: group.ask(),
            rules,
            drivers: group.tasks.iter().map(|task| task.driver.as_str()).collect(),
            joins_host_network: group.tasks.iter().any(joins_host_network),
            host_volumes: host_volumes(group),
            distinct_hosts: distinct_hosts(&distinct),
            distinct_properties: distinct.iter().filter_map(|(scope, rule)| property(*scope, rule)).collect(),
            affinities: affinities(spec, group),
            spreads: spreads(spec, group),
        }
    }

    /// What it is promised of every node's room, whole cores aside.
    pub fn amount(&self) -> Amount {
        let Ask { cpu_mhz, memory_mb, memory_reach_mb: _, disk_mb, cores: _, ports: _, devices: _ } =
            self.ask;
        Amount { cpu_mhz, memory_mb, disk_mb }
    }
}

fn joins_host_network(task: &Task) -> bool {
    let mode = task.config.get("network_mode").and_then(|mode| mode.as_str());
    task.driver == "docker" && mode == Some("host")
}

fn host_volumes(group: &Group) -> Vec<(&str, Access)> {
    let mounts = |name: &str, task: &Task| {
        task.volume_mounts.iter().any(|mount| mount.volume == name && !mount.read_only)
    };
    let hosted = group.volumes.iter().filter(|volume| volume.volume_type == VolumeType::Host);
    hosted
        .map(|volume| {
            let is_written = !volume.read_only && group.tasks.iter().any(|task| mounts(&volume.name, task));
            (volume.source.as_str(), if is_written { Access::Write } else { Access::Read })
        })
        .collect()
}

/// The job's rule is the wider one. A value of `false` switches the rule off, as people write it.
fn distinct_hosts(rules: &[(Scope, &Constraint)]) -> Option<Scope> {
    let hosts = rules.iter().filter(|(_, rule)| rule.operator == Operator::DistinctHosts);
    hosts.filter(|(_, rule)| rule.value != "false").map(|(scope, _)| *scope).min()
}

fn property(scope: Scope, rule: &Constraint) -> Option<DistinctProperty> {
    (rule.operator == Operator::DistinctProperty).then(|| DistinctProperty {
        property: Term::parse(&rule.attribute),
        limit: rule.value.parse().unwrap_or(1),
        scope,
        text: rule.to_string(),
    })
}

/// Each with its share of the sum of all weights.
fn affinities(spec: &JobSpec, group: &Group) -> Vec<(Rule, f64)> {
    let of_tasks = group.tasks.iter().flat_map(|task| &task.affinities);
    let all: Vec<&Affinity> = spec.affinities.iter().chain(&group.affinities).chain(of_tasks).collect();
    let sum: f64 = all.iter().map(|affinity| f64::from(affinity.weight.abs())).sum();
    let ready = |affinity: &&Affinity| {
        let rule = Rule::of(&affinity.attribute, affinity.operator, &affinity.value)?;
        Some((rule, f64::from(affinity.weight) / sum))
    };
    all.iter().filter_map(ready).collect()
}

fn spreads(spec: &JobSpec, group: &Group) -> Vec<Wanted> {
    let all = || spec.spreads.iter().chain(&group.spreads);
    let sum: f64 = all().map(|spread| f64::from(spread.weight)).sum();
    let count = f64::from(group.count());
    all()
        .map(|spread| {
            let part = |percent: u32| f64::from(percent) / 100.0 * count;
            let listed: u32 = spread.targets.iter().map(|target| target.percent).sum();
            let star =
                spread.targets.iter().find(|target| target.value == "*").map(|target| part(target.percent));
            // What the listed values leave over is for all others.
            let rest = (listed < 100).then(|| part(100 - listed));
            Wanted {
                attribute: Term::parse(&spread.attribute),
                share: if sum > 0.0 { f64::from(spread.weight) / sum } else { 0.0 },
                targets: spread
                    .targets
                    .iter()
                    .map(|target| (target.value.clone(), part(target.percent)))
                    .collect(),
                otherwise: star.or(rest),
            }
        })
        .collect()
}
