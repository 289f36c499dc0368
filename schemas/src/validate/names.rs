//! Names, durations and signals: the small rules that every block shares.

use std::collections::BTreeSet;

use super::problem::{Place, Report};
use crate::duration::Duration;
use crate::invisible::is_invisible;

/// Names become parts of keys, paths and allocation names, so they hold no separator of those.
pub(super) fn name(report: &mut Report, place: &Place, what: &str, name: &str) {
    if name.is_empty() {
        report.error(place, format!("the {what} has no name"));
        return;
    }
    if name.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        report.error(place, format!("the name of the {what} holds white space or control characters"));
    } else if let Some(letter) = name.chars().find(|letter| is_invisible(*letter)) {
        let code = u32::from(letter);
        report
            .error(place, format!("the name of the {what} holds a letter that nobody sees, U+{code:04X}"))
            .hint("write it anew, without what was copied along");
    }
    if name.contains(['/', '\\']) {
        report.error(place, format!("the name of the {what} holds a slash"));
    }
    if name.contains('.') && matches!(what, "job" | "group") {
        report
            .error(place, format!("the name of the {what} holds a dot"))
            .hint("dots separate the parts of an allocation's name; use `-`");
    }
    if name.len() > LONGEST_NAME {
        report.error(place, format!("the name of the {what} is longer than {LONGEST_NAME} bytes"));
    }
}

/// Whether nothing speaks against a name.
pub(super) fn is_name(text: &str) -> bool {
    let mut report = Report::default();
    name(&mut report, &Place::new(""), "job", text);
    report.problems.is_empty()
}

/// A job name, a group name and a node name together must fit into a store key and a file name.
const LONGEST_NAME: usize = 128;

/// Every name of a list occurs once.
pub(super) fn unique<'a>(report: &mut Report, what: &str, names: impl Iterator<Item = (Place, &'a str)>) {
    let mut seen = BTreeSet::new();
    for (place, name) in names {
        if !name.is_empty() && !seen.insert(name) {
            report.error(&place, format!("there are two {what}s named `{name}`"));
        }
    }
}

/// A text that must be there.
pub(super) fn required(report: &mut Report, place: &Place, what: &str, text: &str) {
    if text.is_empty() {
        report.error(place, format!("{what} is missing"));
    }
}

/// A span of time that must not be negative.
pub(super) fn not_negative(report: &mut Report, place: &Place, span: Option<Duration>) {
    if let Some(span) = span.filter(|span| span.is_negative()) {
        report.error(place, format!("{span} is negative"));
    }
}

/// A span of time that must be at least `least`.
pub(super) fn at_least(report: &mut Report, place: &Place, span: Duration, least: Duration) {
    if span < least {
        report.error(place, format!("{span} is too short")).hint(format!("use at least {least}"));
    }
}

/// Whether a text holds placeholders that only the scheduler or the node can fill.
pub(super) fn is_interpolated(text: &str) -> bool {
    text.contains("${")
}

const SIGNALS: &[&str] = &[
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGIO",
    "SIGKILL", "SIGPIPE", "SIGPROF", "SIGQUIT", "SIGSEGV", "SIGSTOP", "SIGSYS", "SIGTERM", "SIGTRAP",
    "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXCPU", "SIGXFSZ",
];

/// The name of a signal.
pub(super) fn signal(report: &mut Report, place: &Place, signal: Option<&str>) {
    let Some(signal) = signal else { return };
    if !SIGNALS.contains(&signal) && !is_interpolated(signal) {
        report.unknown(place, "signal", signal, SIGNALS);
    }
}
