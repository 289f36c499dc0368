//! Version numbers and lists of conditions on them, `>= 1.2, < 2.0`.
//!
//! Two readings: `version` takes any number of parts and lets a pre-release meet only conditions that name a
//! pre-release of the same parts; `semver` is strict Semantic Versioning 2.0, with pre-releases in their order.

use std::cmp::Ordering;

/// A version: its numbers and its pre-release words. What follows a `+` does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    parts: Vec<u64>,
    pre: Vec<String>,
}

/// How strictly versions are read and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Loose,
    Strict,
}

impl Version {
    pub(crate) fn parse(text: &str, reading: Reading) -> Option<Version> {
        let text = text.trim();
        let text = if reading == Reading::Loose { text.strip_prefix('v').unwrap_or(text) } else { text };
        let text = text.split('+').next().unwrap_or_default();
        let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
        let parts: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| reading == Reading::Loose || parts.len() == 3)?;
        let pre: Vec<String> = pre.iter().flat_map(|pre| pre.split('.')).map(str::to_owned).collect();
        pre.iter().all(|word| !word.is_empty()).then_some(Version { parts, pre })
    }

    fn part(&self, n: usize) -> u64 {
        self.parts.get(n).copied().unwrap_or(0)
    }

    fn has_same_parts(&self, other: &Version) -> bool {
        (0..self.parts.len().max(other.parts.len())).all(|n| self.part(n) == other.part(n))
    }

    fn compare(&self, other: &Version) -> Ordering {
        let width = self.parts.len().max(other.parts.len());
        let parts = (0..width).map(|n| self.part(n).cmp(&other.part(n))).find(|order| order.is_ne());
        parts.unwrap_or_else(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_words(&self.pre, &other.pre),
        })
    }
}

/// Numbers are below words; a shorter list is below a longer one that it begins.
fn compare_words(one: &[String], other: &[String]) -> Ordering {
    let pairs = one.iter().zip(other).map(|(one, other)| match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    });
    pairs.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| one.len().cmp(&other.len()))
}

/// Conditions that must all hold.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    reading: Reading,
    all: Vec<(Comparison, Version)>,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Pessimistic,
}

impl Conditions {
    /// Nothing if the text is no list of conditions.
    pub(crate) fn parse(text: &str, reading: Reading) -> Option<Conditions> {
        let all: Option<Vec<_>> = text.split(',').map(|one| condition(one.trim(), reading)).collect();
        Some(Conditions { reading, all: all? })
    }

    pub(crate) fn hold(&self, version: &str) -> bool {
        let Some(version) = Version::parse(version, self.reading) else { return false };
        self.all.iter().all(|(comparison, than)| self.holds(*comparison, &version, than))
    }

    fn holds(&self, comparison: Comparison, version: &Version, than: &Version) -> bool {
        let order = version.compare(than);
        let is_comparable = match (self.reading, version.pre.is_empty(), than.pre.is_empty()) {
            (Reading::Strict, _, _) | (Reading::Loose, true, _) => true,
            (Reading::Loose, false, true) => false,
            (Reading::Loose, false, false) => version.has_same_parts(than),
        };
        match comparison {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Greater => is_comparable && order.is_gt(),
            Comparison::GreaterOrEqual => is_comparable && order.is_ge(),
            Comparison::Less => is_comparable && order.is_lt(),
            Comparison::LessOrEqual => is_comparable && order.is_le(),
            Comparison::Pessimistic => is_comparable && order.is_ge() && is_same_line(version, than),
        }
    }
}

/// `~> 1.2.3` is at least 1.2.3 and still 1.2; `~> 1.2` still 1.
fn is_same_line(version: &Version, than: &Version) -> bool {
    let fixed = than.parts.len().saturating_sub(1);
    (0..fixed).all(|n| version.part(n) == than.part(n)) && (than.pre.is_empty() || !version.pre.is_empty())
}

fn condition(text: &str, reading: Reading) -> Option<(Comparison, Version)> {
    let table = [
        ("!=", Comparison::NotEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        ("~>", Comparison::Pessimistic),
        ("=", Comparison::Equal),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
    ];
    let found = table.iter().find_map(|(word, comparison)| Some((*comparison, text.strip_prefix(word)?)));
    let (comparison, rest) = found.unwrap_or((Comparison::Equal, text));
    Some((comparison, Version::parse(rest, reading)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(reading: Reading, rows: &[(&str, &str)]) -> String {
        let row = |(version, text): &(&str, &str)| match Conditions::parse(text, reading) {
            None => format!("{text}: not readable"),
            Some(conditions) => format!("{version} {text}: {}", conditions.hold(version)),
        };
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn loose_versions() {
        let rows = [
            ("1.2.3", ">= 1.0, < 2.0"),
            ("1.2", "= 1.2.0"),
            ("2.0", "< 2"),
            ("1.3.5", "~> 1.3.2"),
            ("1.4.0", "~> 1.3.2"),
            ("1.9", "~> 1.3"),
            ("1.7.0-beta", ">= 1.6.0"),
            ("1.7.0-beta", ">= 1.7.0-alpha"),
            ("v1.2", "> 1.1"),
            ("six", "> 1"),
            ("1", "> one"),
        ];
        insta::assert_snapshot!(table(Reading::Loose, &rows), @"
        1.2.3 >= 1.0, < 2.0: true
        1.2 = 1.2.0: true
        2.0 < 2: false
        1.3.5 ~> 1.3.2: true
        1.4.0 ~> 1.3.2: false
        1.9 ~> 1.3: true
        1.7.0-beta >= 1.6.0: false
        1.7.0-beta >= 1.7.0-alpha: true
        v1.2 > 1.1: true
        six > 1: false
        > one: not readable
        ");
    }

    #[test]
    fn strict_versions() {
        let rows = [
            ("1.7.0-beta", ">= 1.6.0"),
            ("1.7.0-beta", ">= 1.7.0"),
            ("1.7.0-rc.2", "> 1.7.0-rc.1"),
            ("1.7.0-rc.10", "> 1.7.0-rc.9"),
            ("1.7.0-1", "< 1.7.0-a"),
            ("1.7", "> 1.0.0"),
            ("1.7.0+x", "= 1.7.0"),
        ];
        insta::assert_snapshot!(table(Reading::Strict, &rows), @"
        1.7.0-beta >= 1.6.0: true
        1.7.0-beta >= 1.7.0: false
        1.7.0-rc.2 > 1.7.0-rc.1: true
        1.7.0-rc.10 > 1.7.0-rc.9: true
        1.7.0-1 < 1.7.0-a: true
        1.7 > 1.0.0: false
        1.7.0+x = 1.7.0: true
        ");
    }
}
