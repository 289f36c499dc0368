//! What an agent may store: fingerprints, reports and details that are what their keys say, and small.
//!
//! Servers ask [`check`] before the store hears of a document, agents before they send one: what one end lets out
//! the other lets in. Every number is above what an agent of today can come to, and has its reason beside it.

use crate::agent_address::{AgentAddress, NoAgentAddress};
use crate::codec::{self, DecodeError};
use crate::key::Key;
use crate::node::Fingerprint;
use crate::node_name::{self, NoNodeName};
use crate::report::{BUCKET_SIZE, Details, Report};

/// A machine's facts are a few kilobytes; drivers, volumes and `meta` may be many.
pub const FINGERPRINT_BYTES: usize = 64 * 1024;
/// 64 allocations with the longest names (600 bytes) and reasons (1 KiB) and some numbers.
pub const REPORT_BYTES: usize = 128 * 1024;
/// 20 tasks of ten events of 1 KiB each, and some checks.
pub const DETAILS_BYTES: usize = 256 * 1024;
/// The documents of reports of one node: 16,384 allocations, more than any machine runs.
pub const BUCKETS: u32 = 256;
/// What a sentence for people may take, such as an event's message or a report's reason.
pub const SENTENCE_BYTES: usize = 1024;
/// Ten are kept of each task; an agent of another version may keep some more.
const EVENTS: usize = 32;
/// A namespace, a job, a group and a node of 128 bytes each, and their numbers.
const ALLOCATION_BYTES: usize = 640;

/// Why a document is none that an agent may store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The key is of another kind, or not of its kind's shape.
    #[error("an agent writes no document at {0}")]
    Key(Key),
    /// The key names no node.
    #[error("{0:?} is not the name of a node: {1}")]
    Node(String, NoNodeName),
    /// The document is too long.
    #[error("{key} has {bytes} bytes, more than {limit}")]
    Large {
        /// Where it would be.
        key: Key,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The bytes are no such document.
    #[error("{0}: {1}")]
    Unreadable(Key, DecodeError),
    /// A number of things is too high.
    #[error("{0} names more than {1} {2}")]
    Many(Key, usize, &'static str),
    /// A name is none of an allocation.
    #[error("{0:?} is not the name of an allocation")]
    Allocation(String),
    /// A fingerprint does not say what every fingerprint says.
    #[error("{0} names no {1}")]
    Blank(Key, &'static str),
    /// Servers could not dial the agent.
    #[error("the address {0:?} cannot be dialled: {1}")]
    Address(String, NoAgentAddress),
}

/// The node whose document lies here, if agents write such documents.
pub fn node_of(key: &Key) -> Result<&str, Unfit> {
    let segments = key.segments().count();
    let has_shape = match key.kind() {
        "fingerprints" => segments == 2,
        "reports" => segments == 3 && bucket(key.segment(2)),
        // The name of an allocation may hold slashes.
        "details" => segments >= 4,
        _ => false,
    };
    if !has_shape {
        return Err(Unfit::Key(key.clone()));
    }
    let node = key.segment(1);
    node_name::check(node).map_err(|why| Unfit::Node(node.to_owned(), why))?;
    if let Some(name) = key.as_str().splitn(4, '/').nth(3).filter(|_| key.kind() == "details") {
        allocation(name)?;
    }
    Ok(node)
}

/// Whether an agent may store these bytes there.
pub fn check(key: &Key, value: &[u8]) -> Result<(), Unfit> {
    node_of(key)?;
    let limit = match key.kind() {
        "fingerprints" => FINGERPRINT_BYTES,
        "reports" => REPORT_BYTES,
        _ => DETAILS_BYTES,
    };
    if value.len() > limit {
        return Err(Unfit::Large { key: key.clone(), bytes: value.len(), limit });
    }
    let unreadable = |error| Unfit::Unreadable(key.clone(), error);
    match key.kind() {
        "fingerprints" => fingerprint(key, &codec::decode(value).map_err(unreadable)?),
        "reports" => report(key, &codec::decode(value).map_err(unreadable)?),
        _ => details(key, &codec::decode(value).map_err(unreadable)?),
    }
}

fn fingerprint(key: &Key, found: &Fingerprint) -> Result<(), Unfit> {
    // Every agent says these; a document without them is of somebody who is none.
    for (word, what) in [(&found.datacenter, "datacenter"), (&found.region, "region"), (&found.pool, "pool")]
    {
        if word.is_empty() {
            return Err(Unfit::Blank(key.clone(), what));
        }
    }
    Ok(())
}

/// Whether servers can dial the agent at what its fingerprint says; none is an agent that does not answer.
pub fn address(found: &Fingerprint) -> Result<Option<AgentAddress>, Unfit> {
    let text = &found.address;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|why| Unfit::Address(text.clone(), why))
}

fn report(key: &Key, report: &Report) -> Result<(), Unfit> {
    if report.allocations.len() > BUCKET_SIZE {
        return Err(Unfit::Many(key.clone(), BUCKET_SIZE, "allocations"));
    }
    report.allocations.keys().try_for_each(|name| allocation(name))
}

fn details(key: &Key, details: &Details) -> Result<(), Unfit> {
    if details.tasks.values().any(|task| task.events.len() > EVENTS) {
        return Err(Unfit::Many(key.clone(), EVENTS, "events of a task"));
    }
    Ok(())
}

/// `<namespace>/<job>.<group>.<index>-v<version>.<attempt>`; a job or a node may have slashes and dots in its name.
fn allocation(name: &str) -> Result<(), Unfit> {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_digit());
    let is_name = || {
        let (namespace, own) = name.split_once('/')?;
        let (slot, version) = own.rsplit_once("-v")?;
        let (version, attempt) = version.split_once('.')?;
        let words = slot.splitn(3, '.').filter(|word| !word.is_empty()).count();
        let is_sound = !namespace.is_empty()
            && words == 3
            && is_number(version)
            && is_number(attempt)
            && name.len() <= ALLOCATION_BYTES
            && !name.chars().any(char::is_control);
        is_sound.then_some(())
    };
    is_name().ok_or_else(|| Unfit::Allocation(cut(name, 80).to_owned()))
}

/// A bucket's number as it is written, and within the limit.
fn bucket(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|number| number < BUCKETS && number.to_string() == text)
}

/// The beginning of a text, no more than so many bytes.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{AllocationReport, TaskDetails, TaskEvent};

    const NAME: &str = "default/web.api.3-v7.0";

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    fn found() -> Fingerprint {
        let word = || "x".to_owned();
        Fingerprint { datacenter: word(), region: word(), pool: word(), ..Fingerprint::default() }
    }

    fn report_of(names: impl Iterator<Item = String>) -> Report {
        Report { allocations: names.map(|name| (name, AllocationReport::default())).collect() }
    }

    #[test]
    fn what_agents_write_passes() {
        assert_eq!(check(&Key::fingerprint("n1"), &codec::encode(&found())), Ok(()));
        let full = report_of((0..64).map(|number| format!("default/web.api.{number}-v0.0")));
        assert_eq!(check(&Key::report("n1", 255), &codec::encode(&full)), Ok(()));
        for name in ["web.api.3-v7.0", "web/dispatch-1.api.0-v1.0", "sys.all.node-v2.example.org-v1.12"] {
            let key = Key::details("n1", "default", name);
            assert_eq!(check(&key, &codec::encode(&Details::default())), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_keys_are_not_an_agents() {
        for text in [
            "/jobs/default/web",
            "/placements/n1/default/web.api.0-v0.0",
            "/links/n1",
            "/health/n1",
            "/epoch",
            "/fingerprints/n1/x",
            "/fingerprints",
            "/reports/n1",
            "/reports/n1/0/x",
            "/reports/n1/x",
            "/reports/n1/00",
            "/reports/n1/256",
            "/reports/n1/-1",
            "/details/n1/default",
            "/fingerprints/n 1",
            "/fingerprints/..",
            "/details/n1/default/web",
            "/details/n1/default/web.api.0-v0",
            "/details/n1/default/web.api.0-vx.0",
            "/details/n1/default/..-v0.0",
        ] {
            assert!(node_of(&key(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn documents_are_what_their_keys_say_and_small() {
        let fingerprint = Key::fingerprint("n1");
        let refused = |key: &Key, value: &[u8]| check(key, value).unwrap_err();
        for garbage in [&b""[..], b"{", b"\"x\"", b"[]", b"\x00\xff", b"{\"pool\":7}"] {
            assert!(matches!(refused(&fingerprint, garbage), Unfit::Unreadable(..)), "{garbage:?}");
        }
        assert!(matches!(refused(&fingerprint, b"{}"), Unfit::Blank(..)), "it says nothing");
        let mut large = found();
        large.class = "x".repeat(FINGERPRINT_BYTES);
        assert!(matches!(refused(&fingerprint, &codec::encode(&large)), Unfit::Large { .. }));
        let many = report_of((0..65).map(|number| format!("default/web.api.{number}-v0.0")));
        assert!(matches!(refused(&Key::report("n1", 0), &codec::encode(&many)), Unfit::Many(..)));
        let odd = report_of(["web".to_owned()].into_iter());
        assert!(matches!(refused(&Key::report("n1", 0), &codec::encode(&odd)), Unfit::Allocation(_)));
        let task = TaskDetails { events: vec![TaskEvent::default(); 33], ..TaskDetails::default() };
        let busy = Details { tasks: [("t".to_owned(), task)].into(), ..Details::default() };
        let at = key(&format!("/details/n1/{NAME}"));
        assert!(matches!(refused(&at, &codec::encode(&busy)), Unfit::Many(..)));
    }

    #[test]
    fn the_longest_report_of_an_agent_fits() {
        let name = |number: usize| {
            let (long, node) = ("n".repeat(128), "x".repeat(128));
            format!("{long}/{long}.{long}.{}{number:02}-v18446744073709551615.4294967295", &node[2..])
        };
        let mut full = report_of((0..BUCKET_SIZE).map(name));
        for one in full.allocations.values_mut() {
            one.reason = "y".repeat(SENTENCE_BYTES);
            one.since = Some(jiff::Timestamp::MAX);
        }
        assert_eq!(check(&Key::report("n1", 0), &codec::encode(&full)), Ok(()));
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!((cut("aäb", 2), cut("aäb", 3), cut("aäb", 9)), ("a", "aä", "aäb"));
    }
}
