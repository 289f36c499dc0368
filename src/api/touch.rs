//! Which joined documents a change of the store touches.
//!
//! A change tells only what is written now; what was there before is remembered here as bytes, for the
//! differences (slots of a roster, lines of a report) and for the last words about what is gone.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use plan::View;
use schemas::codec::{self, Document};
use schemas::entry::{Change, Entry};
use schemas::job::Job;
use schemas::key::{Key, Revision};
use schemas::liveness::Brake;
use schemas::placement::Placement;
use schemas::report::Report;
use schemas::roster::{Index, Roster, Slot, allocation_name};
use serde_json::{Value, json};

use super::events::Event;
use super::feed::{How, Touched};
use super::happened;
use super::kind::Kind;
use super::mask;
use super::resources::{catalog, counts, versions};
use super::scene::{Name, Scene, part};
use cache::Pulse;

/// The bytes of the documents that differences are made from.
#[derive(Default)]
pub(super) struct Memory {
    before: BTreeMap<Key, (Bytes, Revision)>,
}

/// One change with what was there before.
pub(super) struct Step<'a> {
    /// Where.
    pub(super) key: &'a Key,
    before: Option<&'a Bytes>,
    /// What is written now; nothing if it was deleted.
    pub(super) now: Option<&'a Entry>,
}

impl Step<'_> {
    /// What was there before, as far as it is remembered.
    pub(super) fn before<D: Document>(&self) -> Option<D> {
        self.before.and_then(|bytes| codec::decode(bytes).ok())
    }
    /// What is there now.
    pub(super) fn now<D: Document>(&self) -> Option<D> {
        self.now.and_then(|entry| codec::decode(&entry.value).ok())
    }
    /// Whether there was something before that is not remembered: nothing can be told of the difference.
    pub(super) fn is_unfounded(&self) -> bool {
        self.before.is_none() && self.now.is_some_and(|entry| entry.version > 1)
    }
    /// Whether what was there before could not be read: nothing can be told of the difference.
    pub(super) fn is_mended<D: Document>(&self) -> bool {
        self.before.is_some() && self.before::<D>().is_none()
    }
    /// Whether it was made just now.
    pub(super) fn is_new(&self) -> bool {
        self.now.is_some_and(|entry| entry.version == 1)
    }
}

/// Kinds of which nothing before is needed.
fn is_remembered(key: &Key) -> bool {
    !matches!(key.kind(), "versions" | "fingerprints" | "links" | "beats" | "leaders" | "epoch")
}

impl Memory {
    /// Remembers what a pulse wrote.
    pub(super) fn learn(&mut self, pulse: &Pulse) {
        for change in pulse.changes.iter().filter(|change| is_remembered(change.key())) {
            match change {
                Change::Put(entry) => {
                    drop(self.before.insert(entry.key.clone(), (entry.value.clone(), entry.created)));
                }
                Change::Delete { key } => drop(self.before.remove(key)),
            }
        }
    }

    fn steps<'a>(&'a self, pulse: &'a Pulse) -> impl Iterator<Item = Step<'a>> {
        pulse.changes.iter().map(|change| Step {
            key: change.key(),
            before: self.before.get(change.key()).map(|(bytes, _)| bytes),
            now: match change {
                Change::Put(entry) => Some(entry),
                Change::Delete { .. } => None,
            },
        })
    }

    /// The events that a pulse tells of.
    pub(super) fn happened(&self, view: &View, pulse: &Pulse, now: Timestamp) -> Vec<Event> {
        happened::events(view, self.steps(pulse), pulse.revision, now)
    }

    /// The documents that a pulse touches, each once, and how.
    pub(super) fn touched(&self, scene: &Scene<'_>, pulse: &Pulse) -> Vec<Touched> {
        let mut touches = Touches::default();
        for step in self.steps(pulse) {
            touches.take(scene.view, &step);
        }
        let touched = touches.0.into_iter().map(|((kind, name), is_new)| {
            let how = match (catalog::exists(scene, kind, &name), is_new) {
                (false, _) => How::Gone(self.ghost(scene, kind, &name, pulse.revision)),
                (true, true) => How::Added,
                (true, false) => How::Modified,
            };
            Touched { kind, name, how }
        });
        touched.collect()
    }

    /// What is left to say of a document that is gone.
    fn ghost(&self, scene: &Scene<'_>, kind: Kind, name: &Name, revision: Revision) -> Value {
        let mut ghost = json!({
            "apiVersion": kind.api_version(), "kind": kind.words().kind,
            "metadata": {"name": name.name, "namespace": name.namespace},
        });
        if kind == Kind::Job {
            let key = Key::job(&name.namespace, &name.name);
            if let Some((bytes, created)) = self.before.get(&key)
                && let Ok(mut last) = codec::decode::<Job>(bytes)
            {
                mask::metadata(&mut last.metadata);
                ghost["metadata"] = part(&last.metadata);
                ghost["spec"] = mask::shown(&last);
                ghost["metadata"]["uid"] = json!(scene.uid(&key, *created));
            }
            ghost["status"] = json!({"phase": "dead", "ready": "0/0"});
        }
        ghost["metadata"]["resourceVersion"] = json!(revision.to_string());
        ghost
    }
}

/// Touched documents, and whether each is new.
#[derive(Default)]
struct Touches(BTreeMap<(Kind, Name), bool>);

impl Touches {
    fn add(&mut self, kind: Kind, namespace: &str, name: impl Into<String>, is_new: bool) {
        *self.0.entry((kind, Name::new(namespace, name))).or_default() |= is_new;
    }

    fn take(&mut self, view: &View, step: &Step<'_>) {
        let key = step.key;
        let (namespace, job) = (key.segment(1), key.segment(2));
        match key.kind() {
            "jobs" => self.job(step),
            "versions" => {
                let name = versions::name_of(job, key.segment(3));
                self.add(Kind::JobVersion, namespace, name, step.is_new());
            }
            "rosters" => {
                self.add(Kind::Job, namespace, job, false);
                self.roster(view, step);
            }
            "deployments" => {
                let name = versions::name_of(job, key.segment(3));
                self.add(Kind::Deployment, namespace, name, step.is_new());
                self.add(Kind::Job, namespace, job, false);
            }
            "placements" => self.placement(step),
            "reports" => self.report(view, step),
            "details" => self.add(Kind::Allocation, key.segment(2), key.segment(3), false),
            "fingerprints" => self.add(Kind::Node, "", key.segment(1), step.is_new()),
            "nodes" | "links" => self.add(Kind::Node, "", key.segment(1), false),
            "health" => self.health(view, key.segment(1)),
            "brakes" => self.brake(step),
            _ => {}
        }
    }

    fn job(&mut self, step: &Step<'_>) {
        let (namespace, job) = (step.key.segment(1), step.key.segment(2));
        self.add(Kind::Job, namespace, job, step.is_new());
        if step.is_new() || step.now.is_none() {
            self.add(Kind::Namespace, "", namespace, false);
        }
        let generation = |job: Option<Job>| job.map(|job| job.version);
        let (before, now) = (generation(step.before()), generation(step.now()));
        if before != now {
            // Which version is the current one has changed.
            for number in before.into_iter().chain(now) {
                self.add(Kind::JobVersion, namespace, versions::name_of(job, &number.to_string()), false);
            }
        }
    }

    fn roster(&mut self, view: &View, step: &Step<'_>) {
        let (namespace, job, group) = (step.key.segment(1), step.key.segment(2), step.key.segment(3));
        let (before, now): (Roster, Roster) =
            (step.before().unwrap_or_default(), step.now().unwrap_or_default());
        let old: BTreeMap<u32, &Slot> = before.numbered().collect();
        let new: BTreeMap<u32, &Slot> = now.numbered().collect();
        let name = |index: u32, slot: &Slot| {
            allocation_name(job, group, &Index::Number(index), slot.version, slot.attempt)
        };
        let differ = old.keys().chain(new.keys()).filter(|index| old.get(index) != new.get(index));
        for index in differ {
            let was = old.get(index).map(|slot| name(*index, slot));
            if let Some(was) = &was {
                self.add(Kind::Allocation, namespace, was, false);
            }
            let is = new.get(index).filter(|slot| counts::is_wanted(slot)).map(|slot| name(*index, slot));
            if let Some(is) = is {
                let is_new = was.as_ref() != Some(&is);
                self.add(Kind::Allocation, namespace, is, is_new);
            }
        }
        if before.every_node != now.every_node {
            let group = plan::view::GroupRef {
                namespace: namespace.to_owned(),
                job: job.to_owned(),
                group: group.to_owned(),
            };
            for key in view.indexes.placements_of_group(&group) {
                self.add(Kind::Allocation, namespace, key.segment(3), false);
            }
        }
    }

    fn placement(&mut self, step: &Step<'_>) {
        let (node, namespace, name) = (step.key.segment(1), step.key.segment(2), step.key.segment(3));
        let placement: Option<Placement> = step.now().or_else(|| step.before());
        // Slots with a number were shown as pending before.
        let is_new = step.is_new()
            && placement.as_ref().is_some_and(|placement| matches!(placement.index, Index::Node(_)));
        self.add(Kind::Allocation, namespace, name, is_new);
        self.add(Kind::Node, "", node, false);
        if let Some(placement) = placement {
            self.add(Kind::Job, namespace, placement.job, false);
        }
    }

    fn report(&mut self, view: &View, step: &Step<'_>) {
        let (before, now): (Report, Report) =
            (step.before().unwrap_or_default(), step.now().unwrap_or_default());
        let (old, new) = (&before.allocations, &now.allocations);
        let differ = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name));
        for (namespace, name) in differ.filter_map(|name| name.split_once('/')) {
            self.allocation(view, step.key.segment(1), namespace, name);
        }
        self.add(Kind::Node, "", step.key.segment(1), false);
    }

    fn allocation(&mut self, view: &View, node: &str, namespace: &str, name: &str) {
        self.add(Kind::Allocation, namespace, name, false);
        if let Some(placement) = view.placements.get(&Key::placement(node, namespace, name)) {
            self.add(Kind::Job, namespace, placement.job.clone(), false);
        }
    }

    /// Who waits for the brake shows it.
    fn brake(&mut self, step: &Step<'_>) {
        let (before, now): (Option<Brake>, Option<Brake>) = (step.before(), step.now());
        let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
        before
            .waiting
            .symmetric_difference(&now.waiting)
            .for_each(|node| self.add(Kind::Node, "", node, false));
    }

    fn health(&mut self, view: &View, node: &str) {
        self.add(Kind::Node, "", node, false);
        for (key, _) in view.placements.under(&["placements", node]) {
            self.allocation(view, node, key.segment(2), key.segment(3));
        }
    }
}
