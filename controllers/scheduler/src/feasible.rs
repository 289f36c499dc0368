//! Whether a node may take an instance at all, however much room it has.

use fit::{Demand, Unfit};

use crate::site::Site;

/// Whether a node may take new instances of the group.
pub(crate) fn may_take(demand: &Demand, site: &Site) -> Result<(), Unfit> {
    fit::may_take(demand, site.standing, site.facts())
}
