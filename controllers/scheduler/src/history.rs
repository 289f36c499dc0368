//! Placements that ended stay as history for people, but not for ever.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use plan::view::GroupRef;
use plan::{Draft, View, Write};
use schemas::key::Key;
use schemas::placement::{Placement, Wish};
use schemas::roster::{Index, SlotState};

use crate::decide::roster_of;

/// How many ended placements a group keeps: enough to see a pattern.
const PER_GROUP: usize = 20;
/// How many of them at one place.
const PER_PLACE: usize = 5;

/// Deletes ended placements beyond those limits, those whose node was purged, and all of a job that goes. A placement
/// whose node did not say that it ended stays, for that document is the only word that stops what runs there.
pub(crate) fn forget(view: &View, draft: &mut Draft) {
    for (group, ended) in view.open.ended() {
        // What ended tells how an unreadable roster was; what an unreadable job wants is not known.
        let of_group =
            [Key::job(&group.namespace, &group.job), Key::roster(&group.namespace, &group.job, &group.group)];
        if of_group.iter().any(|key| view.is_unreadable(key)) {
            continue;
        }
        let job = view.jobs.get(&Key::job(&group.namespace, &group.job));
        let is_leaving = job.is_none_or(|job| job.metadata.deletion_timestamp.is_some());
        let mut rows: Vec<(&Key, &Placement)> =
            ended.iter().filter_map(|key| Some((key, view.placements.get(key)?))).collect();
        rows.sort_by_key(|(_, placement)| {
            Reverse((placement.placed_at, placement.version, placement.attempt))
        });
        let mut kept = 0;
        let mut kept_at: BTreeMap<&Index, usize> = BTreeMap::new();
        for (key, placement) in rows {
            let at_place = kept_at.entry(&placement.index).or_default();
            let is_purged = view.indexes.is_purged(key);
            // That a node does not fit is said by its last placement alone.
            let says_unfit = matches!(placement.wish, Wish::Stop { unfit: true, .. }) && *at_place == 0;
            let is_old = kept >= PER_GROUP || *at_place >= PER_PLACE;
            // A numbered slot moves on before the name may be used again; a node that is gone has no slot.
            let has_slot = !is_purged || matches!(placement.index, Index::Number(_));
            if has_slot && !is_leaving && (is_needed(view, group, placement) || says_unfit) {
                *at_place += usize::from(says_unfit);
                continue;
            }
            if is_leaving || is_purged || is_old {
                draft.add(&[], [Write::Delete { key: key.clone() }]);
            } else {
                kept += 1;
                *at_place += 1;
            }
        }
    }
}

/// Whether somebody still has to see how it ended: its slot has not moved on.
fn is_needed(view: &View, group: &GroupRef, placement: &Placement) -> bool {
    let slot = roster_of(view, group).and_then(|(_, roster)| roster.slot_at(&placement.index));
    slot.is_some_and(|slot| {
        let made = (slot.version, slot.attempt);
        slot.state == SlotState::Run && made == (placement.version, placement.attempt)
    })
}
