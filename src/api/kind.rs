//! The kinds of documents that the API shows, with their words and verbs: discovery, routes, OpenAPI and
//! tables all read this one list.

use std::fmt;

/// The API group.
pub(super) const GROUP: &str = "encamp.dev";
/// Group and version, as `apiVersion` has it.
pub(super) const GROUP_VERSION: &str = "encamp.dev/v1";

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// What people declare.
    Job,
    /// One version in a job's history.
    JobVersion,
    /// One instance of a group.
    Allocation,
    /// One rollout.
    Deployment,
    /// One machine.
    Node,
    /// Something that happened.
    Event,
    /// The same, as Kubernetes' core group shows it.
    CoreEvent,
    /// A namespace, of Kubernetes' core group.
    Namespace,
}

/// How a kind is called and what can be done with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// `Job`
    pub kind: &'static str,
    /// `jobs`
    pub plural: &'static str,
    /// `job`
    pub singular: &'static str,
    /// What lazy people type.
    pub short: &'static [&'static str],
    /// Whether it lives in a namespace.
    pub is_namespaced: bool,
    /// Whether `get all` shows it.
    pub is_in_all: bool,
    /// What can be done.
    pub verbs: &'static [&'static str],
    /// Subresources: name, kind of the body, verbs.
    pub subresources: &'static [Subresource],
}

/// A subresource in discovery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subresource {
    /// `scale`
    pub name: &'static str,
    /// Group and version of its body, if not ours.
    pub group_version: Option<(&'static str, &'static str)>,
    /// Kind of its body.
    pub kind: &'static str,
    /// What can be done.
    pub verbs: &'static [&'static str],
}

const READ: &[&str] = &["get", "list", "watch"];

const JOB: Words = Words {
    kind: "Job",
    plural: "jobs",
    singular: "job",
    short: &[],
    is_namespaced: true,
    is_in_all: true,
    verbs: &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    subresources: &[
        Subresource { name: "plan", group_version: None, kind: "JobPlan", verbs: &["create"] },
        Subresource { name: "rollback", group_version: None, kind: "Job", verbs: &["create"] },
        Subresource {
            name: "scale",
            group_version: Some(("autoscaling", "v1")),
            kind: "Scale",
            verbs: &["get", "patch", "update"],
        },
        Subresource { name: "status", group_version: None, kind: "Job", verbs: &["get"] },
    ],
};
const JOB_VERSION: Words = Words {
    kind: "JobVersion",
    plural: "jobversions",
    singular: "jobversion",
    short: &["jv"],
    is_namespaced: true,
    is_in_all: false,
    verbs: READ,
    subresources: &[],
};
const ALLOCATION: Words = Words {
    kind: "Allocation",
    plural: "allocations",
    singular: "allocation",
    short: &["alloc", "allocs"],
    is_namespaced: true,
    is_in_all: true,
    verbs: READ,
    subresources: &[
        Subresource { name: "log", group_version: None, kind: "Allocation", verbs: &["get"] },
        Subresource { name: "status", group_version: None, kind: "Allocation", verbs: &["get"] },
    ],
};
const DEPLOYMENT: Words = Words {
    kind: "Deployment",
    plural: "deployments",
    singular: "deployment",
    short: &["deploy"],
    is_namespaced: true,
    is_in_all: true,
    verbs: READ,
    subresources: &[],
};
const NODE: Words = Words {
    kind: "Node",
    plural: "nodes",
    singular: "node",
    short: &["no"],
    is_namespaced: false,
    is_in_all: false,
    verbs: &["delete", "get", "list", "patch", "update", "watch"],
    subresources: &[Subresource { name: "status", group_version: None, kind: "Node", verbs: &["get"] }],
};
const EVENT: Words = Words {
    kind: "Event",
    plural: "events",
    singular: "event",
    short: &["ev"],
    is_namespaced: true,
    is_in_all: false,
    verbs: READ,
    subresources: &[],
};

const NAMESPACE: Words = Words {
    kind: "Namespace",
    plural: "namespaces",
    singular: "namespace",
    short: &["ns"],
    is_namespaced: false,
    is_in_all: false,
    verbs: READ,
    subresources: &[],
};

impl Kind {
    /// All kinds of our group, in the order of discovery.
    pub(super) const ALL: [Kind; 6] =
        [Kind::Allocation, Kind::Deployment, Kind::Event, Kind::Job, Kind::JobVersion, Kind::Node];

    /// Its words.
    pub(super) const fn words(self) -> Words {
        match self {
            Kind::Job => JOB,
            Kind::JobVersion => JOB_VERSION,
            Kind::Allocation => ALLOCATION,
            Kind::Deployment => DEPLOYMENT,
            Kind::Node => NODE,
            Kind::Event | Kind::CoreEvent => EVENT,
            Kind::Namespace => NAMESPACE,
        }
    }

    /// The kind with that plural.
    pub(super) fn of_plural(plural: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.words().plural == plural)
    }

    /// Its API group.
    pub(super) fn group(self) -> &'static str {
        if self.is_core() { "" } else { GROUP }
    }

    /// Group and version, as `apiVersion` has it.
    pub(super) fn api_version(self) -> &'static str {
        if self.is_core() { "v1" } else { GROUP_VERSION }
    }

    fn is_core(self) -> bool {
        matches!(self, Kind::CoreEvent | Kind::Namespace)
    }

    /// `jobs.encamp.dev`
    pub(super) fn resource(self) -> String {
        let words = self.words();
        if self.is_core() { words.plural.to_owned() } else { format!("{}.{GROUP}", words.plural) }
    }
}

impl Kind {
    /// The methods that one document of the kind takes, or all of a namespace together.
    pub(super) fn methods(self, of: Extent) -> String {
        let of_one = [("get", "GET, HEAD"), ("update", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];
        let of_all = [("list", "GET, HEAD"), ("create", "POST"), ("deletecollection", "DELETE")];
        let table = match of {
            Extent::One => &of_one[..],
            Extent::All => &of_all[..],
        };
        let has = |(verb, _): &&(&str, &str)| self.words().verbs.contains(verb);
        table.iter().filter(has).map(|(_, method)| *method).collect::<Vec<_>>().join(", ")
    }

    /// The methods at an address of documents; nothing if it is another one.
    pub(super) fn methods_at(path: &str) -> Option<String> {
        let steps: Vec<&str> = path.strip_prefix("/apis/encamp.dev/v1/")?.split('/').collect();
        let (plural, of) = match steps.as_slice() {
            ["namespaces", _, plural] => (plural, Extent::All),
            ["namespaces", _, plural, _] => (plural, Extent::One),
            _ => return None,
        };
        Some(Kind::of_plural(plural).filter(|kind| kind.words().is_namespaced)?.methods(of))
    }
}

/// How many documents an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// One.
    One,
    /// All.
    All,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().kind)
    }
}
