//! Which events a revision tells of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::View;
use schemas::deployment::{Deployment, DeploymentStatus};
use schemas::job::Job;
use schemas::key::{Key, Revision};
use schemas::liveness::{Brake, BrakeRelease};
use schemas::node::{Health, NodeState};
use schemas::placement::{Placement, Wish};
use schemas::report::{AllocationReport, ClientState, Details, Report};

use super::events::Event;
use super::kind::Kind;
use super::scene::Name;
use super::touch::Step;
use super::unreadable;

/// The events of one revision, in the order of its keys.
pub(super) fn events<'a>(
    view: &'a View,
    steps: impl Iterator<Item = Step<'a>>,
    revision: Revision,
    now: Timestamp,
) -> Vec<Event> {
    let mut story = Story { view, revision, now, events: Vec::new(), by_job: BTreeMap::new() };
    for step in steps {
        if let Some(why) = view.unreadable.get(step.key) {
            story.unreadable(step.key, why);
            continue;
        }
        if step.is_unfounded() {
            continue;
        }
        match step.key.kind() {
            "jobs" => story.job(&step),
            "deployments" => story.deployment(&step),
            "placements" => story.placement(&step),
            "reports" => story.report(&step),
            "details" => story.details(&step),
            "health" => story.health(&step),
            "brakes" => story.brake(&step),
            "releases" => story.release(&step),
            _ => {}
        }
    }
    story.finish()
}

/// What may happen to an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Completed,
    Failed,
    Lost,
    Placed,
    Started,
    Stopping,
    Unhealthy,
}

impl Turn {
    /// As the sentence about a job tells it.
    fn verb(self) -> &'static str {
        match self {
            Turn::Completed => "is complete",
            Turn::Failed => "failed",
            Turn::Lost => "is lost",
            Turn::Placed => "found a node",
            Turn::Started => "runs",
            Turn::Stopping => "stops",
            Turn::Unhealthy => "is unhealthy",
        }
    }

    fn is_warning(self) -> bool {
        match self {
            Turn::Failed | Turn::Lost | Turn::Unhealthy => true,
            Turn::Completed | Turn::Placed | Turn::Started | Turn::Stopping => false,
        }
    }
}

struct Story<'a> {
    view: &'a View,
    revision: Revision,
    now: Timestamp,
    events: Vec<Event>,
    /// What several allocations of a job did in one revision: one event for the job, not one for each.
    by_job: BTreeMap<(Name, Turn), Vec<String>>,
}

/// One event to tell.
struct Telling<'t> {
    kind: Kind,
    about: Name,
    reason: &'t str,
    task: &'t str,
    message: String,
    is_warning: bool,
    source: &'t str,
    /// When, if it was before it became known here.
    at: Option<Timestamp>,
}

impl Story<'_> {
    fn tell(&mut self, telling: Telling<'_>) {
        let Telling { kind, about, reason, task, message, is_warning, source, at } = telling;
        self.events.push(Event {
            kind,
            about,
            reason: reason.to_owned(),
            task: task.to_owned(),
            message,
            is_warning,
            at: at.unwrap_or(self.now),
            source: source.to_owned(),
            revision: self.revision,
        });
    }

    fn job(&mut self, step: &Step<'_>) {
        let about = Name::new(step.key.segment(1), step.key.segment(2));
        let (before, now): (Option<Job>, Option<Job>) = (step.before(), step.now());
        let version = |job: &Job| job.version;
        let (reason, message) = match (&before, &now) {
            (_, None) => ("Deleted", "the job is gone".to_owned()),
            (None, Some(job)) if step.is_new() => {
                ("Registered", format!("version {} was registered", version(job)))
            }
            (Some(old), Some(job)) if job.metadata.deletion_timestamp != old.metadata.deletion_timestamp => {
                ("Deleting", "its allocations are being stopped".to_owned())
            }
            (Some(old), Some(job)) if version(old) != version(job) => {
                ("Updated", format!("version {} replaces version {}", version(job), version(old)))
            }
            (Some(_) | None, Some(_)) => return,
        };
        self.tell(Telling {
            kind: Kind::Job,
            about,
            reason,
            task: "",
            message,
            is_warning: false,
            source: "api",
            at: None,
        });
    }

    /// Something is written that nobody can read.
    fn unreadable(&mut self, key: &Key, why: &str) {
        let Some((kind, about)) = unreadable::concerned(key) else { return };
        self.tell(Telling {
            kind,
            about,
            reason: "Unreadable",
            task: "",
            message: format!("{key} cannot be read: {why}"),
            is_warning: true,
            source: "api",
            at: None,
        });
    }

    fn deployment(&mut self, step: &Step<'_>) {
        let (namespace, job, version) = (step.key.segment(1), step.key.segment(2), step.key.segment(3));
        let (before, now): (Option<Deployment>, Option<Deployment>) = (step.before(), step.now());
        let Some(rollout) = now else { return };
        if before.is_some_and(|before| before.status == rollout.status) {
            return;
        }
        let (reason, is_warning) = match rollout.status {
            DeploymentStatus::Running => ("RolloutStarted", false),
            DeploymentStatus::Successful => ("RolloutSucceeded", false),
            DeploymentStatus::Failed => ("RolloutFailed", true),
            DeploymentStatus::Cancelled => ("RolloutCancelled", false),
        };
        let source = "deployment";
        let message = match rollout.description.as_str() {
            "" => format!("version {version}"),
            told => format!("version {version}: {told}"),
        };
        let about = Name::new(namespace, job);
        self.tell(Telling {
            kind: Kind::Job,
            about,
            reason,
            task: "",
            message: message.clone(),
            is_warning,
            source,
            at: None,
        });
        let about = Name::new(namespace, format!("{job}-v{version}"));
        self.tell(Telling {
            kind: Kind::Deployment,
            about,
            reason,
            task: "",
            message,
            is_warning,
            source,
            at: None,
        });
    }

    fn placement(&mut self, step: &Step<'_>) {
        let (node, namespace, name) = (step.key.segment(1), step.key.segment(2), step.key.segment(3));
        let (before, now): (Option<Placement>, Option<Placement>) = (step.before(), step.now());
        let Some(placement) = now else { return };
        let allocation = Allocation { node, namespace, name, job: &placement.job };
        match (&before, &placement.wish) {
            (None, Wish::Run) if step.is_new() => {
                self.allocation(&allocation, Turn::Placed, format!("placed on {node}"));
            }
            (Some(before), Wish::Stop { reason, .. }) if before.wish == Wish::Run => {
                self.allocation(&allocation, Turn::Stopping, format!("stopping: {reason}"));
            }
            (Some(_) | None, Wish::Run | Wish::Stop { .. }) => {}
        }
    }

    fn report(&mut self, step: &Step<'_>) {
        if step.is_mended::<Report>() {
            return;
        }
        let (before, now): (Report, Report) =
            (step.before().unwrap_or_default(), step.now().unwrap_or_default());
        let node = step.key.segment(1);
        for (name, report) in &now.allocations {
            let old = before.allocations.get(name);
            if let Some((namespace, name)) = name.split_once('/') {
                let placement = self.view.placements.get(&Key::placement(node, namespace, name));
                let job = placement.map(|placement| placement.job.clone()).unwrap_or_default();
                let allocation = Allocation { node, namespace, name, job: &job };
                self.state(&allocation, old, report);
            }
        }
    }

    fn state(
        &mut self,
        allocation: &Allocation<'_>,
        old: Option<&AllocationReport>,
        report: &AllocationReport,
    ) {
        if old.is_none_or(|old| old.state != report.state) {
            let why = if report.reason.is_empty() { String::new() } else { format!(": {}", report.reason) };
            match report.state {
                ClientState::Pending => {}
                ClientState::Running => {
                    self.allocation(allocation, Turn::Started, format!("running on {}", allocation.node));
                }
                ClientState::Complete => {
                    self.allocation(allocation, Turn::Completed, format!("complete{why}"));
                }
                ClientState::Failed => self.allocation(allocation, Turn::Failed, format!("failed{why}")),
            }
        }
        if report.healthy == Some(false) && old.is_none_or(|old| old.healthy != Some(false)) {
            self.allocation(allocation, Turn::Unhealthy, format!("unhealthy on {}", allocation.node));
        }
    }

    fn details(&mut self, step: &Step<'_>) {
        let (node, namespace, name) = (step.key.segment(1), step.key.segment(2), step.key.segment(3));
        let before: Details = step.before().unwrap_or_default();
        let Some(now) = step.now::<Details>() else { return };
        for (task, details) in &now.tasks {
            let old = before.tasks.get(task).map(|old| old.events.as_slice()).unwrap_or_default();
            for event in details.events.iter().filter(|event| !old.contains(event)) {
                let reason: String = event.kind.split_whitespace().collect();
                self.tell(Telling {
                    kind: Kind::Allocation,
                    about: Name::new(namespace, name),
                    reason: &reason,
                    task,
                    message: format!("task {task}: {}", event.message),
                    is_warning: reason.contains("Fail"),
                    source: node,
                    at: event.time,
                });
            }
        }
    }

    /// Silent nodes that the brake keeps from being given up.
    fn brake(&mut self, step: &Step<'_>) {
        let (before, now): (Option<Brake>, Option<Brake>) = (step.before(), step.now());
        let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
        for node in now.waiting.difference(&before.waiting) {
            let message = "silent, and not given up yet: many nodes fell silent at once and the brake holds";
            self.node(node, ("NodeHeldByBrake", true), message.to_owned(), "heartbeat");
        }
    }

    /// A person lets the silent nodes go.
    fn release(&mut self, step: &Step<'_>) {
        let Some(BrakeRelease { by, silence, .. }) = step.now() else { return };
        let brake = self.view.brakes.get(&Key::brake()).filter(|brake| brake.since == silence);
        for node in brake.iter().flat_map(|brake| &brake.waiting) {
            self.node(node, ("BrakeReleased", true), format!("{by} lets the silent nodes go"), "api");
        }
    }

    fn node(&mut self, node: &str, (reason, is_warning): (&str, bool), message: String, source: &str) {
        let about = Name::new("", node);
        let telling =
            Telling { kind: Kind::Node, about, reason, task: "", message, is_warning, source, at: None };
        self.tell(telling);
    }

    fn health(&mut self, step: &Step<'_>) {
        let node = step.key.segment(1);
        if step.is_mended::<Health>() {
            return;
        }
        let (before, now): (Option<Health>, Option<Health>) = (step.before(), step.now());
        let Some(health) = now else { return };
        if before.is_some_and(|before| before.state == health.state) {
            return;
        }
        let (reason, is_warning) = match health.state {
            NodeState::Initializing => return,
            NodeState::Ready => ("NodeReady", false),
            NodeState::Down => ("NodeDown", true),
        };
        let message =
            if health.reason.is_empty() { "the agent is heard".into() } else { health.reason.clone() };
        self.node(node, (reason, is_warning), message, "heartbeat");
        if health.state == NodeState::Down {
            let view = self.view;
            for (key, stored) in view.placements.under(&["placements", node]) {
                if !view.indexes.is_gone(key) {
                    let (namespace, name) = (key.segment(2), key.segment(3));
                    let allocation = Allocation { node, namespace, name, job: &stored.value.job };
                    self.allocation(&allocation, Turn::Lost, format!("node {node} is silent"));
                }
            }
        }
    }

    /// Tells of an allocation now and of its job at the end.
    fn allocation(&mut self, it: &Allocation<'_>, turn: Turn, message: String) {
        if !it.job.is_empty() {
            let of_job = self.by_job.entry((Name::new(it.namespace, it.job), turn)).or_default();
            of_job.push(it.name.to_owned());
        }
        self.tell(Telling {
            kind: Kind::Allocation,
            about: Name::new(it.namespace, it.name),
            reason: &format!("{turn:?}"),
            task: "",
            message,
            is_warning: turn.is_warning(),
            source: it.node,
            at: None,
        });
    }

    fn finish(mut self) -> Vec<Event> {
        for ((about, turn), names) in std::mem::take(&mut self.by_job) {
            let verb = turn.verb();
            let message = match names.as_slice() {
                [one] => format!("{one} {verb}"),
                many => format!("{} allocations, first {}: each {verb}", many.len(), many[0]),
            };
            self.tell(Telling {
                kind: Kind::Job,
                about,
                reason: &format!("{turn:?}"),
                task: "",
                message,
                is_warning: turn.is_warning(),
                source: "scheduler",
                at: None,
            });
        }
        self.events
    }
}

/// An allocation that something happened to.
struct Allocation<'a> {
    node: &'a str,
    namespace: &'a str,
    name: &'a str,
    job: &'a str,
}
