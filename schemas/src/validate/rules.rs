//! Constraints, affinities and spreads.

use std::collections::BTreeSet;

use super::names::is_interpolated;
use super::problem::{Place, Report};
use crate::pattern;
use crate::placement_rules::{Affinity, Constraint, Operator, Spread};

/// Constraints of a job, group, or (where nothing can be distinct) a task or device.
pub(super) fn constraints(
    report: &mut Report,
    place: &Place,
    constraints: &[Constraint],
    may_be_distinct: bool,
) {
    for (place, constraint) in place.each("constraints", constraints) {
        let Constraint { attribute, operator, value } = constraint;
        if operator.is_distinct() && !may_be_distinct {
            report
                .error(&place.key("operator"), format!("`{operator}` cannot be used here"))
                .hint("write it in the group or the job: it is about allocations, not about one task");
        }
        comparison(report, &place, attribute, *operator, value);
    }
}

/// Affinities of a job, group, task or device.
pub(super) fn affinities(report: &mut Report, place: &Place, affinities: &[Affinity]) {
    for (place, affinity) in place.each("affinities", affinities) {
        let Affinity { attribute, operator, value, weight } = affinity;
        if operator.is_distinct() {
            report
                .error(&place.key("operator"), format!("`{operator}` cannot be a preference"))
                .hint("use it in a constraint");
        }
        if *weight == 0 || !(-100..=100).contains(weight) {
            report
                .error(&place.key("weight"), format!("weight {weight} is not between -100 and 100, or is 0"))
                .hint("a positive weight prefers such nodes, a negative one avoids them");
        }
        comparison(report, &place, attribute, *operator, value);
    }
}

/// Spreads of a job or group.
pub(super) fn spreads(report: &mut Report, place: &Place, spreads: &[Spread]) {
    for (place, spread) in place.each("spreads", spreads) {
        let Spread { attribute, weight, targets } = spread;
        if attribute.is_empty() {
            report
                .error(&place.key("attribute"), "the spread has no attribute")
                .hint("such as `${node.datacenter}`");
        }
        if !(1..=100).contains(weight) {
            report.error(&place.key("weight"), format!("weight {weight} is not between 1 and 100"));
        }
        let mut seen = BTreeSet::new();
        let mut total: u64 = 0;
        for (place, target) in place.each("targets", targets) {
            total += u64::from(target.percent);
            if target.percent > 100 {
                report.error(&place.key("percent"), format!("{} percent is more than all", target.percent));
            }
            if target.value.is_empty() {
                report.error(&place.key("value"), "the target has no value");
            } else if !seen.insert(&target.value) {
                report.error(&place.key("value"), format!("`{}` is given twice", target.value));
            }
        }
        if total > 100 {
            report.error(&place.key("targets"), format!("the targets add up to {total} percent"));
        }
    }
}

fn comparison(report: &mut Report, place: &Place, attribute: &str, operator: Operator, value: &str) {
    let (needs_attribute, needs_value) = match operator {
        Operator::DistinctHosts => (false, false),
        Operator::DistinctProperty | Operator::IsSet | Operator::IsNotSet => (true, false),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Regexp
        | Operator::Version
        | Operator::Semver
        | Operator::SetContains
        | Operator::SetContainsAny => (true, true),
    };
    if needs_attribute && attribute.is_empty() {
        report
            .error(&place.key("attribute"), format!("`{operator}` needs an attribute"))
            .depends_on(&place.key("operator"));
    }
    if needs_value && value.is_empty() {
        report
            .error(&place.key("value"), format!("`{operator}` needs a value"))
            .depends_on(&place.key("operator"));
        return;
    }
    if let Some(complaint) = value_complaint(operator, value).filter(|_| !is_interpolated(value)) {
        report.error(&place.key("value"), complaint);
    }
}

/// Why the operator cannot work with the value.
fn value_complaint(operator: Operator, value: &str) -> Option<String> {
    match operator {
        Operator::Regexp => pattern::regex(value).err(),
        Operator::Version => bad_requirement(value, is_version)
            .map(|part| format!("`{part}` is not a version constraint, such as `>= 1.2, < 2.0`")),
        Operator::Semver => bad_requirement(value, |version| semver::Version::parse(version).is_ok())
            .map(|part| format!("`{part}` is not a constraint on a semantic version, such as `>= 1.2.0`")),
        Operator::DistinctProperty => {
            let is_count = value.is_empty() || value.parse::<u32>().is_ok_and(|count| count > 0);
            (!is_count).then(|| format!("`{value}` is not a number of allocations, at least 1"))
        }
        Operator::DistinctHosts => {
            let is_boolean = matches!(value, "" | "true" | "false");
            (!is_boolean).then(|| format!("`{value}` is neither `true` nor `false`"))
        }
        Operator::Equal
        | Operator::NotEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::SetContains
        | Operator::SetContainsAny
        | Operator::IsSet
        | Operator::IsNotSet => None,
    }
}

/// The first part of a list such as `>= 1.2, < 2.0` that is no comparison with a version.
fn bad_requirement(value: &str, is_version: impl Fn(&str) -> bool) -> Option<&str> {
    let operators = [">=", "<=", "!=", "==", "~>", ">", "<", "=", "~", "^"];
    value.split(',').map(str::trim).find(|part| {
        let operator = operators.iter().find(|operator| part.starts_with(**operator));
        let version = part[operator.map_or(0, |operator| operator.len())..].trim();
        !is_version(version)
    })
}

/// Loose versions: any number of dotted numbers, an optional `v` before, a pre-release and build after.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+', '~']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let is_dotted =
        numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    is_dotted
        && rest
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '~' | '.'))
}
