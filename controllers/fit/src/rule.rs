//! Constraints and affinities, made ready once per group and asked of many nodes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use regex::Regex;
use schemas::node::Fingerprint;
use schemas::pattern;
use schemas::placement_rules::{Constraint, Operator};

use crate::version::{Conditions, Reading};

/// What rules look at: a node's name and what its agent found.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its agent found.
    pub fingerprint: &'a Fingerprint,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// The text itself.
    Literal(String),
    /// The node's name.
    Name,
    /// Its datacenter.
    Datacenter,
    /// Its region.
    Region,
    /// Its pool.
    Pool,
    /// Its class.
    Class,
    /// An attribute that its agent found.
    Attribute(String),
    /// A value that its people gave it.
    Meta(String),
    /// A `${…}` that no node has.
    Nothing,
}

impl Term {
    /// Reads one side.
    pub fn parse(text: &str) -> Term {
        let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Term::Literal(text.to_owned());
        };
        match inner {
            "node.unique.id" | "node.unique.name" => Term::Name,
            "node.datacenter" => Term::Datacenter,
            "node.region" => Term::Region,
            "node.pool" => Term::Pool,
            "node.class" => Term::Class,
            other => match other.split_once('.') {
                Some(("attr", name)) => Term::Attribute(name.to_owned()),
                Some(("meta", name)) => Term::Meta(name.to_owned()),
                Some(_) | None => Term::Nothing,
            },
        }
    }

    /// What a node has there, if it has it.
    pub fn of<'a>(&'a self, facts: Facts<'a>) -> Option<&'a str> {
        let Facts { name, fingerprint } = facts;
        match self {
            Term::Literal(text) => Some(text),
            Term::Name => Some(name),
            Term::Datacenter => Some(&fingerprint.datacenter),
            Term::Region => Some(&fingerprint.region),
            Term::Pool => Some(&fingerprint.pool),
            Term::Class => Some(&fingerprint.class).filter(|class| !class.is_empty()).map(String::as_str),
            Term::Attribute(name) => fingerprint.attributes.get(name).map(String::as_str),
            Term::Meta(name) => fingerprint.meta.get(name).map(String::as_str),
            Term::Nothing => None,
        }
    }
}

/// A condition on one node.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As people wrote it.
    pub text: String,
    left: Term,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(Term),
    NotEqual(Term),
    Greater(Term),
    GreaterOrEqual(Term),
    Less(Term),
    LessOrEqual(Term),
    Matches(Regex),
    Meets(Conditions),
    HasAll(Term),
    HasAny(Term),
    IsSet,
    IsNotSet,
    /// The value cannot be read: no node meets it.
    Never,
}

impl Rule {
    /// A rule about one node; `distinct_hosts` and `distinct_property` are none.
    pub fn of(attribute: &str, operator: Operator, value: &str) -> Option<Rule> {
        let right = Term::parse(value);
        let test = match operator {
            Operator::Equal => Test::Equal(right),
            Operator::NotEqual => Test::NotEqual(right),
            Operator::Greater => Test::Greater(right),
            Operator::GreaterOrEqual => Test::GreaterOrEqual(right),
            Operator::Less => Test::Less(right),
            Operator::LessOrEqual => Test::LessOrEqual(right),
            Operator::Regexp => pattern::regex(value).map_or(Test::Never, Test::Matches),
            Operator::Version => Conditions::parse(value, Reading::Loose).map_or(Test::Never, Test::Meets),
            Operator::Semver => Conditions::parse(value, Reading::Strict).map_or(Test::Never, Test::Meets),
            Operator::SetContains => Test::HasAll(right),
            Operator::SetContainsAny => Test::HasAny(right),
            Operator::IsSet => Test::IsSet,
            Operator::IsNotSet => Test::IsNotSet,
            Operator::DistinctHosts | Operator::DistinctProperty => return None,
        };
        let constraint = Constraint { attribute: attribute.to_owned(), operator, value: value.to_owned() };
        Some(Rule { text: constraint.to_string(), left: Term::parse(attribute), test })
    }

    /// Whether a node meets it.
    pub fn holds(&self, facts: Facts) -> bool {
        let left = self.left.of(facts);
        let both = |right: &Term, test: fn(&str, &str) -> bool| match (left, right.of(facts)) {
            (Some(left), Some(right)) => test(left, right),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        match &self.test {
            Test::Equal(right) => both(right, |left, right| left == right),
            Test::NotEqual(right) => left != right.of(facts),
            Test::Greater(right) => both(right, |left, right| order(left, right).is_gt()),
            Test::GreaterOrEqual(right) => both(right, |left, right| order(left, right).is_ge()),
            Test::Less(right) => both(right, |left, right| order(left, right).is_lt()),
            Test::LessOrEqual(right) => both(right, |left, right| order(left, right).is_le()),
            Test::Matches(regex) => left.is_some_and(|left| regex.is_match(left)),
            Test::Meets(conditions) => left.is_some_and(|left| conditions.hold(left)),
            Test::HasAll(right) => both(right, |left, right| items(right).is_subset(&items(left))),
            Test::HasAny(right) => both(right, |left, right| !items(right).is_disjoint(&items(left))),
            Test::IsSet => left.is_some(),
            Test::IsNotSet => left.is_none(),
            Test::Never => false,
        }
    }
}

/// As integers, else as decimals, else as text.
fn order(left: &str, right: &str) -> Ordering {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return left.cmp(&right);
    }
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        (Ok(_) | Err(_), Err(_)) | (Err(_), Ok(_)) => left.cmp(right),
    }
}

fn items(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator() {
        let mut fingerprint = Fingerprint { datacenter: "dc1".into(), ..Fingerprint::default() };
        for (name, value) in [("cores", "16"), ("os", "debian"), ("flags", "avx, sse"), ("kernel", "6.1.0")] {
            fingerprint.attributes.insert(name.into(), value.into());
        }
        let facts = Facts { name: "n1", fingerprint: &fingerprint };
        let rows = [
            ("${node.datacenter}", Operator::Equal, "dc1"),
            ("${node.unique.name}", Operator::NotEqual, "n1"),
            ("${attr.nope}", Operator::Equal, "x"),
            ("${attr.nope}", Operator::NotEqual, "x"),
            ("${attr.cores}", Operator::Greater, "9"),
            ("${attr.cores}", Operator::LessOrEqual, "15.5"),
            ("${attr.os}", Operator::GreaterOrEqual, "alpine"),
            ("${attr.os}", Operator::Less, "${attr.nope}"),
            ("${attr.os}", Operator::Regexp, "^(debian|ubuntu)$"),
            ("${attr.os}", Operator::Regexp, "(("),
            ("${attr.kernel}", Operator::Version, ">= 5.10, < 7"),
            ("${attr.kernel}", Operator::Semver, "> 6.1.0"),
            ("${attr.flags}", Operator::SetContains, "sse,avx"),
            ("${attr.flags}", Operator::SetContains, "sse,neon"),
            ("${attr.flags}", Operator::SetContainsAny, "sse,neon"),
            ("${attr.os}", Operator::IsSet, ""),
            ("${meta.rack}", Operator::IsSet, ""),
            ("${meta.rack}", Operator::IsNotSet, ""),
        ];
        let line = |(left, operator, right): &(&str, Operator, &str)| {
            let rule = Rule::of(left, *operator, right).unwrap();
            format!("{}: {}", rule.text, rule.holds(facts))
        };
        insta::assert_snapshot!(rows.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        ${node.datacenter} = dc1: true
        ${node.unique.name} != n1: false
        ${attr.nope} = x: false
        ${attr.nope} != x: true
        ${attr.cores} > 9: true
        ${attr.cores} <= 15.5: false
        ${attr.os} >= alpine: true
        ${attr.os} < ${attr.nope}: false
        ${attr.os} regexp ^(debian|ubuntu)$: true
        ${attr.os} regexp ((: false
        ${attr.kernel} version >= 5.10, < 7: true
        ${attr.kernel} semver > 6.1.0: false
        ${attr.flags} set_contains sse,avx: true
        ${attr.flags} set_contains sse,neon: false
        ${attr.flags} set_contains_any sse,neon: true
        ${attr.os} is_set: true
        ${meta.rack} is_set: false
        ${meta.rack} is_not_set: true
        ");
    }
}
