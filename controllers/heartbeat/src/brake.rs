//! Who is given up: all nodes that are silent for their whole grace, unless they are many. Then a brake holds.
//!
//! Many nodes that fall silent at once are more likely a network, a power line or we ourselves than so many dead
//! machines, and moving half a cluster's work onto the other half hurts both. While the brake holds, one node is given
//! up at a time, slowly; none while all are silent, since there is nowhere to go. It holds until nobody waits, or
//! until a person lets the silent nodes go.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use plan::{Draft, Plan, View, Write};
use schemas::key::Key;
use schemas::liveness::{Brake, BrakeSettings};
use schemas::node::NodeState;

use super::decide::health;
use super::survey::Survey;

/// While somebody is silent, how many are late is looked at this often: beats of servers name no root.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// The soonest that it is worth to look again.
const SOONEST: SignedDuration = SignedDuration::from_millis(100);

/// Who is given up now.
pub(crate) fn plan(view: &View, now: Timestamp) -> Plan<Write> {
    let settings = view.settings.get(&Key::heartbeat_settings()).copied().unwrap_or_default();
    let brake = view.brakes.get(&Key::brake()).cloned().unwrap_or_default();
    let survey = Survey::of(view, &settings, &brake, now);
    let is_released = brake.is_released_by(view.releases.get(&Key::brake_release()));
    let is_braked = !is_released && holds(&settings.brake, &brake, &survey);
    let plan = if is_braked {
        slowly(view, &settings.brake, (&brake, &survey), now)
    } else if !survey.due.is_empty() {
        at_once(view, &survey, now)
    } else {
        lift(view, &brake)
    };
    let is_calm = survey.due.is_empty() && brake.since.is_none();
    let next = if is_calm { survey.next } else { survey.next.min(LOOK_AGAIN) };
    // The view learns twice a second that time has passed: until then the answer is the same.
    let next = next.max(SOONEST);
    plan.wake(now.checked_add(next).ok())
}

/// Whether the brake holds: it goes on as long as somebody is silent.
fn holds(settings: &BrakeSettings, brake: &Brake, survey: &Survey<'_>) -> bool {
    let BrakeSettings { enabled, percent, min_nodes, one_node_every: _ } = *settings;
    let is_cluster = survey.known >= usize::try_from(min_nodes).unwrap_or(usize::MAX);
    let is_much = survey.silent() * 100 >= survey.all * usize::try_from(percent).unwrap_or(usize::MAX);
    let is_about = if brake.since.is_some() {
        !survey.due.is_empty() || survey.late > 0
    } else {
        !survey.due.is_empty() && is_much
    };
    enabled && is_cluster && is_about
}

/// One node at a time.
fn slowly(
    view: &View,
    settings: &BrakeSettings,
    (brake, survey): (&Brake, &Survey<'_>),
    now: Timestamp,
) -> Plan<Write> {
    let later = now.checked_add(settings.one_node_every.to_signed()).ok();
    let waiting: BTreeSet<String> = survey.due.keys().map(|node| (*node).to_owned()).collect();
    let since = brake.since.or(Some(now));
    if survey.silent() >= survey.all {
        // Once the first is back, the others get time to follow: the next moment is not known yet.
        return hold(view, brake, &Brake { since, next: None, waiting })
            .note("brake", "all nodes are silent");
    }
    let Some(next) = brake.next.filter(|_| brake.since.is_some()) else {
        return hold(view, brake, &Brake { since, next: later, waiting }).wake(later);
    };
    let Some((node, due)) = survey.due.first_key_value().filter(|_| now >= next) else {
        // A moment that is past, with nobody to give up, is no reason to be asked again.
        let ahead = Some(next).filter(|next| *next > now);
        return hold(view, brake, &Brake { since, next: Some(next), waiting }).wake(ahead);
    };
    let mut left = waiting;
    left.remove(*node);
    let left = Brake { since, next: later, waiting: left };
    let reason = due.reason();
    let down = health(view, node, (NodeState::Down, &reason), now);
    let mut draft = Draft::new(view);
    draft.add(&due.rests_on(node), [down, Write::put(Key::brake(), &left)]);
    let plan = Plan { steps: draft.steps(), ..Plan::nothing(*node, reason) };
    plan.wake(later)
}

/// Nobody is given up; whoever asks is told who waits.
fn hold(view: &View, old: &Brake, new: &Brake) -> Plan<Write> {
    let told = format!("the brake holds, {} nodes wait", new.waiting.len());
    write(view, old, new).note("brake", told)
}

/// Nobody is silent any more.
fn lift(view: &View, brake: &Brake) -> Plan<Write> {
    write(view, brake, &Brake::default())
}

fn write(view: &View, old: &Brake, new: &Brake) -> Plan<Write> {
    if old == new && !view.is_unreadable(&Key::brake()) {
        return Plan::empty();
    }
    let mut draft = Draft::new(view);
    draft.add(&[], [Write::put(Key::brake(), new)]);
    Plan { steps: draft.steps(), ..Plan::empty() }
}

fn at_once(view: &View, survey: &Survey<'_>, now: Timestamp) -> Plan<Write> {
    let mut draft = Draft::new(view);
    let mut notes = Plan::empty();
    for (node, due) in &survey.due {
        let reason = due.reason();
        draft.add(&due.rests_on(node), [health(view, node, (NodeState::Down, &reason), now)]);
        notes = notes.note(*node, reason);
    }
    Plan { steps: draft.steps(), ..notes }
}

#[cfg(test)]
mod tests;
