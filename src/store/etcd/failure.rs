//! What went wrong on the way to etcd, as the caller's next move.
//!
//! Only what surely happened before the request left, or what etcd surely refused, is `NotApplied`. etcd
//! also says "request timed out" and "leader changed" of proposals that are applied a moment later: `Unknown`.

use std::error::Error as _;

use etcd_client::Error;
use tonic::{Code, ConnectError, Status};

use super::members::Failure;
use crate::store::contract::CommitError;

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

/// Whether no connection came about.
pub(super) fn is_unsent(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status) if never_left(status))
}

fn of_status(status: &Status) -> CommitError {
    let says = |words: &str| status.message().contains(words);
    if says("too many requests") || says("no leader") {
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
