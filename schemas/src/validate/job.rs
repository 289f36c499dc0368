//! A whole job.

use super::names::{name, required, unique};
use super::problem::{Place, Problem, Report};
use super::{bounds, calendar, group, identity, policy, rules};
use crate::job::{JobSpec, Ui};
use crate::multiregion::Multiregion;

/// The most instances that one job may have.
const MOST_INSTANCES: u64 = 50_000;
/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1_000;

/// Everything that is wrong with the job of that name, in the order of the document.
pub fn job(job_name: &str, spec: &JobSpec) -> Vec<Problem> {
    let mut report = Report::default();
    let place = Place::spec();
    if !bounds::job(&mut report, &place, job_name, spec) {
        return report.problems;
    }
    name(&mut report, &Place::new("/metadata/name"), "job", job_name);
    head(&mut report, &place, spec);
    calendar::starts(&mut report, &place, spec);
    if let Some(block) = &spec.multiregion {
        multiregion(&mut report, &place.key("multiregion"), block);
    }
    if let Some(block) = &spec.ui {
        ui(&mut report, &place.key("ui"), block);
    }
    groups(&mut report, &place, job_name, spec);
    // A policy that the job lends to several groups is blamed once.
    let mut seen = std::collections::BTreeSet::new();
    report.problems.retain(|problem| seen.insert((problem.pointer.clone(), problem.message.clone())));
    report.problems
}

/// Everything that is wrong with the name of a namespace.
pub fn namespace(namespace: &str) -> Vec<Problem> {
    let mut report = Report::default();
    name(&mut report, &Place::new("/metadata/namespace"), "namespace", namespace);
    report.problems
}

fn head(report: &mut Report, place: &Place, spec: &JobSpec) {
    if !(1..=100).contains(&spec.priority) {
        report.error(&place.key("priority"), format!("{} is not between 1 and 100", spec.priority));
    }
    if spec.datacenters.is_empty() {
        report.error(&place.key("datacenters"), "no datacenter is given").hint("`[\"*\"]` is all of them");
    }
    for (place, datacenter) in place.each("datacenters", &spec.datacenters) {
        required(report, &place, "the name of the datacenter", datacenter);
    }
    name(report, &place.key("region"), "region", &spec.region);
    name(report, &place.key("nodePool"), "node pool", &spec.node_pool);
    rules::constraints(report, place, &spec.constraints, true);
    rules::affinities(report, place, &spec.affinities);
    rules::spreads(report, place, &spec.spreads);
    let is_empty = [spec.affinities.is_empty(), spec.spreads.is_empty()];
    group::not_for_every_node(report, place, spec.job_type, is_empty);
    let given = [spec.update.is_some(), spec.migrate.is_some(), spec.reschedule.is_some()];
    policy::belongs(report, place, spec.job_type, given);
    identity::vault(report, &place.key("vault"), spec.vault.as_ref());
    identity::secrets(report, place, &spec.secrets);
}

fn groups(report: &mut Report, place: &Place, job_name: &str, spec: &JobSpec) {
    if spec.groups.is_empty() {
        report.error(&place.key("groups"), "the job has no groups");
    }
    let total = spec.groups.iter().fold(0, |sum: u64, group| sum.saturating_add(u64::from(group.count())));
    if total > MOST_INSTANCES {
        report.error(&place.key("groups"), format!("{total} instances are more than {MOST_INSTANCES}"));
    }
    let named = place.each("groups", &spec.groups);
    unique(report, "group", named.map(|(place, group)| (place.key("name"), group.name.as_str())));
    let merged = spec.clone().canonicalize(job_name);
    for ((place, each), merged) in place.each("groups", &spec.groups).zip(&merged.groups) {
        group::group(report, &place, spec, each, merged);
    }
}

fn multiregion(report: &mut Report, place: &Place, multiregion: &Multiregion) {
    if multiregion.regions.is_empty() {
        report.error(&place.key("regions"), "no region is given");
    }
    for (place, region) in place.each("regions", &multiregion.regions) {
        name(report, &place.key("name"), "region", &region.name);
    }
    let named = place.each("regions", &multiregion.regions);
    unique(report, "region", named.map(|(place, region)| (place.key("name"), region.name.as_str())));
}

fn ui(report: &mut Report, place: &Place, ui: &Ui) {
    let length = ui.description.chars().count();
    if length > LONGEST_DESCRIPTION {
        report.error(
            &place.key("description"),
            format!("{length} characters are more than {LONGEST_DESCRIPTION}"),
        );
    }
    for (place, link) in place.each("links", &ui.links) {
        required(report, &place.key("label"), "the text of the link", &link.label);
        required(report, &place.key("url"), "the address of the link", &link.url);
    }
}
