//! Which process runs a controller (`/leaders/<controller>`).

use serde::{Deserialize, Serialize};

use crate::codec::Document;

/// The process whose writes count. Written once a term: the revision of that write is the term, and
/// every write of the controller demands it. Alive as long as its server's beat changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Leader {
    /// The server.
    pub server: String,
}
impl Document for Leader {}
