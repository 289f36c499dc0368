//! What went wrong on the way to etcd, as the caller's next move.
//!
//! Only what surely happened before the request left, or what etcd surely refused, is `NotApplied`. etcd
//! also says "request timed out" and "leader changed" of proposals that are applied a moment later: `Unknown`.

use std::error::Error as _;

use etcd_client::Error;
use tonic::{Code, ConnectError, Status};

use super::members::Failure;
use crate::any::{OpenError, Options};
use crate::contract::CommitError;

/// What etcd says of a token that is not wrong but over.
const OLD_TOKEN: [&str; 2] = ["invalid auth token", "revision of auth store is old"];
const PERMISSION_DENIED: &str = "permission denied";
/// What TLS says when there is no doubt: whoever answers is not whom we were told to trust, or speaks no TLS.
const UNTRUSTED: [&str; 3] = ["UnknownIssuer", "NotValidForName", "InvalidMessage"];
/// What words of etcd or of TLS mean to whoever configured us.
const HINTS: [(&str, &str); 9] = [
    ("no leader", "it answers but has no leader: too few of its members run"),
    ("Connection refused", "nothing listens there: etcd does not run, or elsewhere"),
    ("authentication failed", "etcd knows no such user with this password"),
    ("authentication is not enabled", "a user is configured, but etcd has authentication switched off"),
    ("user name is empty", "etcd has authentication switched on: configure a user and its password"),
    (PERMISSION_DENIED, "the user needs a role that reads and writes everything below our root"),
    ("UnknownIssuer", "the servers' certificate is not signed by an authority that we trust"),
    ("NotValidForName", "the servers' certificate does not name the host it was reached by"),
    ("InvalidMessage", "it does not speak TLS: leave the TLS options out"),
];
/// How a connection ends that the other side did not want; which of these comes is a matter of timing.
const CLOSED: [&str; 5] =
    ["connection closed", "broken pipe", "connection reset", "received fatal alert", "handshake eof"];

/// The next move after a commit that was not acknowledged.
pub(super) fn of_commit(failure: &Failure) -> CommitError {
    match failure {
        Failure::Unsent(_) => CommitError::NotApplied,
        Failure::Refused(Error::GRpcStatus(status)) => of_status(status),
        Failure::Refused(_) | Failure::TimedOut => CommitError::Unknown,
    }
}

/// Whether a member that works said no.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if !matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded
    ))
}

/// Whether the history that was asked for is compacted, or was never made.
pub(super) fn is_out_of_history(failure: &Failure) -> bool {
    let words = ["required revision has been compacted", "required revision is a future revision"];
    is_refused(failure, |status| words.iter().any(|words| status.message().contains(words)))
}

/// Whether an answer was larger than this client takes.
pub(super) fn is_too_much(failure: &Failure) -> bool {
    is_refused(failure, |status| {
        status.code() == Code::OutOfRange && status.message().contains("message length")
    })
}

fn is_refused(failure: &Failure, says: impl Fn(&Status) -> bool) -> bool {
    matches!(failure, Failure::Refused(Error::GRpcStatus(status)) if says(status))
}

/// Whether etcd no longer takes the token it once gave: nothing was done, and a new login mends it.
pub(super) fn is_old_token(error: &Error) -> bool {
    if let Error::GRpcStatus(status) = error {
        OLD_TOKEN.iter().any(|words| status.message().contains(words))
    } else {
        // A watch is told "permission denied" whatever is wrong with its token, or nothing at all: before 3.5 etcd
        // may close the stream before it has said so.
        matches!(error, Error::WatchError(_))
    }
}

/// Why etcd could not be opened: whether waiting may help, and in words for a person who can change the options.
pub(super) fn of_opening(failure: &Failure, what: String, options: &Options) -> OpenError {
    match failure {
        Failure::TimedOut => OpenError::Away {
            what,
            why: format!(
                "no answer within {:?}: it may be starting, or too few of its members run to choose a leader",
                options.timeout
            ),
        },
        Failure::Unsent(error) | Failure::Refused(error) => {
            let why = words(error, options);
            if is_final(error) { OpenError::Unusable { what, why } } else { OpenError::Away { what, why } }
        }
    }
}

/// Whether it will be said again until somebody changes the options, or etcd's.
fn is_final(error: &Error) -> bool {
    let words = causes(error);
    let is_untrusted = UNTRUSTED.iter().any(|untrusted| words.contains(untrusted));
    is_refusal(error) || is_untrusted || matches!(error, Error::InvalidArgs(_))
}

/// Why etcd could not be used.
fn words(error: &Error, options: &Options) -> String {
    let words = causes(error);
    if CLOSED.iter().any(|closed| words.to_lowercase().contains(closed)) {
        let why = match (options.speaks_tls(), &options.identity_files) {
            (false, _) => "it may be starting, or speak TLS: then write etcds:// or name its authority",
            (true, None) => "it may be starting, ask for a client certificate, or not speak TLS",
            (true, Some(_)) => "it may be starting, not accept our certificate, or not speak TLS",
        };
        return format!("it closes the connection ({why})");
    }
    match HINTS.iter().find(|(says, _)| words.contains(says)) {
        Some((_, hint)) => format!("{words} ({hint})"),
        None => words,
    }
}

/// An error with all its causes.
pub(super) fn causes(error: &Error) -> String {
    let (mut words, mut cause) = if let Error::GRpcStatus(status) = error {
        (status.message().to_owned(), status.source())
    } else if let Error::TransportError(transport) = error {
        (transport.to_string(), transport.source())
    } else {
        (error.to_string(), None)
    };
    while let Some(error) = cause {
        let said = error.to_string();
        if !words.contains(&said) {
            words += &format!(": {said}");
        }
        cause = error.source();
    }
    words
}

/// Whether no connection came about.
pub(super) fn is_unsent(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if never_left(status))
}

fn of_status(status: &Status) -> CommitError {
    let says = |words: &str| status.message().contains(words);
    if says("too many requests") || says("no leader") || says("user name is empty") {
        return CommitError::NotApplied;
    }
    if OLD_TOKEN.iter().any(|words| says(words)) {
        return CommitError::NotApplied;
    }
    if says("database space exceeded") {
        return CommitError::Full;
    }
    let refused = ["request is too large", "too many operations", "duplicate key given", "larger than max"];
    if refused.iter().any(|words| says(words)) {
        return CommitError::TooLarge;
    }
    let refusals =
        [Code::Unauthenticated, Code::PermissionDenied, Code::FailedPrecondition, Code::Unimplemented];
    if refusals.contains(&status.code()) { CommitError::NotApplied } else { CommitError::Unknown }
}

fn never_left(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_next_move() {
        let table = [
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", CommitError::Full),
            (Code::InvalidArgument, "etcdserver: request is too large", CommitError::TooLarge),
            (Code::InvalidArgument, "etcdserver: too many operations in txn request", CommitError::TooLarge),
            (Code::InvalidArgument, "etcdserver: duplicate key given in txn request", CommitError::TooLarge),
            (Code::ResourceExhausted, "etcdserver: too many requests", CommitError::NotApplied),
            (Code::Unavailable, "etcdserver: no leader", CommitError::NotApplied),
            (Code::PermissionDenied, "etcdserver: permission denied", CommitError::NotApplied),
            (Code::Unauthenticated, "etcdserver: invalid auth token", CommitError::NotApplied),
            (Code::InvalidArgument, "etcdserver: revision of auth store is old", CommitError::NotApplied),
            (Code::InvalidArgument, "etcdserver: user name is empty", CommitError::NotApplied),
            (Code::Unavailable, "etcdserver: request timed out", CommitError::Unknown),
            (Code::Unavailable, "etcdserver: leader changed", CommitError::Unknown),
            (Code::Cancelled, "h2 protocol error", CommitError::Unknown),
            (Code::DeadlineExceeded, "", CommitError::Unknown),
        ];
        for (code, message, expected) in table {
            let failure = Failure::Refused(Error::GRpcStatus(Status::new(code, message)));
            assert_eq!(of_commit(&failure), expected, "{message}");
        }
    }
}
