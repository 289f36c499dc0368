//! What an agent may ask of the store: to read its wishes, and to write what it alone knows.
//!
//! Tokens that tie a request to one node come with authentication; until then this keeps an agent (or who
//! says to be one) away from everything that users and controllers write.

use std::sync::Arc;

use axum::http::request::Parts;
use schemas::key::Key;

use super::store_face::{Allow, Ask};

/// What agents read: wishes, the job versions they refer to, their own documents, and which store this is.
const READ: [&str; 7] =
    ["/placements/", "/versions/", "/reports/", "/details/", "/fingerprints/", "/tombstones/", "/epoch"];
/// What agents write.
const WRITTEN: [&str; 3] = ["reports", "details", "fingerprints"];

/// The rule for the store face.
pub fn allow() -> Allow {
    Arc::new(|_: &Parts, ask: Ask<'_>| match ask {
        Ask::Read(prefix) => READ.iter().any(|kind| prefix.as_str().starts_with(kind)),
        Ask::Write(txn) => txn.writes.iter().map(plan::Write::key).all(is_an_agents),
    })
}

fn is_an_agents(key: &Key) -> bool {
    WRITTEN.contains(&key.kind())
}
