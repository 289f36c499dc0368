//! The contract of every controller.

use jiff::Timestamp;
use schemas::key::Key;

use crate::{Plan, View};

/// Decides, never does.
///
/// Level-triggered: a plan follows from the view alone, never from what changed. `roots` only says whom
/// a change concerns; naming a root too many costs time, missing one is a bug that the periodic resync
/// of the control loop would hide and the simulation finds.
pub trait Controller: Send + Sync + 'static {
    /// What its plans consist of: [`crate::Write`] for all but the agent.
    type Effect;

    /// Its name: of its leader key, its metrics and its spans.
    fn name(&self) -> &'static str;

    /// The roots whose plan may differ after this key changed. Called when the view has the change: what
    /// a deleted document said is gone, only its key speaks.
    fn roots(&self, view: &View, changed: &Key) -> Vec<Key>;

    /// Every root there is: planned once at the start and after a loss of sight.
    fn all_roots(&self, view: &View) -> Vec<Key>;

    /// What to do about one root. A root that means nothing (any more) gives an empty plan.
    fn plan(&self, view: &View, root: &Key, now: Timestamp) -> Plan<Self::Effect>;
}
