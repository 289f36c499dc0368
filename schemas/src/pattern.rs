//! Regular expressions and globs as people write them in rules: read in one way by whoever admits a job and by whoever
//! places it, within limits, and compiled once.
//!
//! What was compiled is remembered: one plan asks for the same expressions for each group, the next plan again, and
//! compiling is what costs. The answer is the same with and without the memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::{Regex, RegexBuilder};

use crate::limits::{PATTERN_BUILT_BYTES, PATTERN_BYTES};

/// How many expressions are remembered: those of a few jobs. Each may take half a megabyte.
const REMEMBERED: usize = 64;
/// How deep groups of an expression nest.
const NEST: u32 = 32;

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// A regular expression, or why it is none that may be used.
pub fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > PATTERN_BYTES {
        return Err(format!(
            "the regular expression has {} bytes; at most {PATTERN_BYTES} are taken",
            text.len()
        ));
    }
    if let Some(known) = MEMORY.lock().unwrap_or_else(PoisonError::into_inner).find(text) {
        return known;
    }
    // Without the lock: others need not wait for it.
    let compiled = compile(text);
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner).keep(text, &compiled);
    compiled
}

fn compile(text: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(PATTERN_BUILT_BYTES).dfa_size_limit(PATTERN_BUILT_BYTES).nest_limit(NEST);
    builder.build().map_err(|error| {
        if let regex::Error::CompiledTooBig(_) = error {
            return format!("the regular expression becomes larger than {PATTERN_BUILT_BYTES} bytes");
        }
        one_line(&error)
    })
}

/// Parser messages draw pictures over several lines; a report has one.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("not a regular expression: {}", last.trim_start_matches("error: "))
}

#[derive(Default)]
struct Memory {
    known: BTreeMap<String, Result<Regex, String>>,
    /// In the order in which they came.
    order: VecDeque<String>,
}

impl Memory {
    fn find(&self, text: &str) -> Option<Result<Regex, String>> {
        self.known.get(text).cloned()
    }

    fn keep(&mut self, text: &str, compiled: &Result<Regex, String>) {
        if self.known.insert(text.to_owned(), compiled.clone()).is_some() {
            return;
        }
        self.order.push_back(text.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Whether a text is what a glob says: `*` is any text, `?` any character.
///
/// Of several `*` only the last is ever tried again, so the time is at most the product of both lengths.
pub fn glob(glob: &str, text: &str) -> bool {
    let (mut pattern, mut rest) = (glob.chars(), text.chars());
    // Where to go on when what follows the last `*` does not fit.
    let mut again = None;
    loop {
        let mut next = pattern.clone();
        match (next.next(), rest.clone().next()) {
            (Some('*'), _) => {
                again = Some((next.clone(), rest.clone()));
                pattern = next;
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                pattern = next;
                rest.next();
                continue;
            }
            (None, None) => return true,
            (Some(_), _) | (None, Some(_)) => {}
        }
        // The last `*` takes one character more.
        let Some((after, from)) = &mut again else { return false };
        if from.next().is_none() {
            return false;
        }
        (pattern, rest) = (after.clone(), from.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let fits = [("*", ""), ("*", "dc1"), ("dc?", "dc1"), ("eu-*-1", "eu-west-1"), ("dc1", "dc1")];
        let more = [("", ""), ("**", "x"), ("*a*b", "xaxxab"), ("*é", "né"), ("a*?", "ab"), ("*aab", "aaab")];
        for (pattern, text) in fits.into_iter().chain(more) {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("dc1", "dc12"), ("dc?", "dc"), ("eu-*-1", "eu-west-2"), ("", "x"), ("a*?", "a"), ("?", "")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let text = "a".repeat(1_000);
        // By trying every way for every `*` this would not end while there is a sun.
        assert!(!glob(&"*a".repeat(500).replace("*a*a", "*a"), &format!("{text}b")));
        assert!(!glob(&format!("{}b", "a*".repeat(400)), &text));
    }

    #[test]
    fn expressions_are_bounded_and_remembered() {
        assert!(regex("^(debian|ubuntu)$").unwrap().is_match("debian"));
        assert_eq!(regex("((").unwrap_err(), "not a regular expression: unclosed group");
        let large = "the regular expression becomes larger than 524288 bytes";
        assert_eq!(regex(r"\w{100}").unwrap_err(), large);
        assert_eq!(regex(r"(((((a{10}){10}){10}){10}){10}){10}").unwrap_err(), large);
        let long = "a".repeat(PATTERN_BYTES + 1);
        assert_eq!(regex(&long).unwrap_err(), "the regular expression has 257 bytes; at most 256 are taken");
        assert!(regex(&"(".repeat(100)).is_err());
        for number in 0..2 * REMEMBERED {
            regex(&format!("x{number}")).unwrap();
        }
        assert!(MEMORY.lock().unwrap().known.len() <= REMEMBERED);
        assert!(regex("^x1$").unwrap().is_match("x1"));
    }
}
