//! Nomad's own JSON form of a job, which its API and tools speak: `{"Job": {"ID": …, "TaskGroups": […]}}`.
//!
//! Its names are ours in capitals, up to a table of exceptions. Empty strings and nulls stand for "not given",
//! what only its servers set is passed over, and any other name is a slip of the pen.

use super::job::{SCHEMA, Shaped, TITLE, keep};
use crate::text::diagnostic::Diagnostic;
use crate::text::gaps::Gaps;
use crate::text::node::{Entry, Node, NodeValue, join};
use crate::text::schema::{Field, Shape};
use crate::text::source::{Source, Span};
use crate::validate::nearest;

/// Names that differ by more than their capitals: struct, theirs, ours.
const RENAMED: &[(&str, &str, &str)] = &[
    ("JobSpec", "TaskGroups", "groups"),
    ("JobSpec", "ParameterizedJob", "parameterized"),
    ("Periodic", "Specs", "crons"),
    ("Constraint", "LTarget", "attribute"),
    ("Constraint", "Operand", "operator"),
    ("Constraint", "RTarget", "value"),
    ("Affinity", "LTarget", "attribute"),
    ("Affinity", "Operand", "operator"),
    ("Affinity", "RTarget", "value"),
    ("Spread", "SpreadTarget", "targets"),
    ("Group", "RestartPolicy", "restart"),
    ("Group", "ReschedulePolicy", "reschedule"),
    ("EphemeralDisk", "SizeMB", "size"),
    ("Port", "Value", "static"),
    ("Task", "RestartPolicy", "restart"),
    ("Task", "LogConfig", "logs"),
    ("Task", "CSIPluginConfig", "csiPlugin"),
    ("Resources", "MemoryMB", "memory"),
    ("Resources", "MemoryMaxMB", "memoryMax"),
    ("Resources", "SecretsMB", "secrets"),
    ("SidecarTask", "LogConfig", "logs"),
    ("Identity", "Audience", "aud"),
    ("Logs", "MaxFileSizeMB", "maxFileSize"),
    ("Artifact", "GetterSource", "source"),
    ("Artifact", "GetterOptions", "options"),
    ("Artifact", "GetterHeaders", "headers"),
    ("Artifact", "GetterMode", "mode"),
    ("Artifact", "GetterInsecure", "insecure"),
    ("Artifact", "RelativeDest", "destination"),
    ("Template", "SourcePath", "source"),
    ("Template", "DestPath", "destination"),
    ("Template", "EmbeddedTmpl", "data"),
    ("Template", "LeftDelim", "leftDelimiter"),
    ("Template", "RightDelim", "rightDelimiter"),
    ("Template", "Envvars", "env"),
    ("Template", "ErrMissingKey", "errorOnMissingKey"),
    ("Service", "PortLabel", "port"),
    ("Service", "TaskName", "task"),
    ("Check", "PortLabel", "port"),
    ("Check", "TaskName", "task"),
    ("Check", "Header", "headers"),
];

/// What only servers set, what has no effect any more, and what is read together with another key.
const PASSED_OVER: &[(&str, &[&str])] = &[
    (
        "JobSpec",
        &[
            "ConsulNamespace",
            "ConsulToken",
            "CreateIndex",
            "DispatchIdempotencyToken",
            "Dispatched",
            "ID",
            "JobModifyIndex",
            "ModifyIndex",
            "Name",
            "Namespace",
            "NomadTokenID",
            "ParentID",
            "Payload",
            "Stable",
            "Status",
            "StatusDescription",
            "SubmitTime",
            "VaultNamespace",
            "VaultToken",
            "Version",
            "VersionTag",
        ],
    ),
    ("Periodic", &["Spec", "SpecType"]),
    ("Group", &["MaxClientDisconnect", "PreventRescheduleOnLost", "StopAfterClientDisconnect"]),
    ("Scaling", &["CreateIndex", "ID", "ModifyIndex", "Namespace", "Target", "Type"]),
    ("Network", &["CIDR", "Device", "DynamicPorts", "IP", "MBits", "ReservedPorts"]),
    ("Volume", &["ExtraKeysHCL"]),
    ("MountOptions", &["ExtraKeysHCL"]),
    ("Service", &["Id"]),
    ("Check", &["Id"]),
    ("Resources", &["DiskMB", "IOPS", "Networks"]),
    ("Template", &["VaultGrace"]),
];

/// What has a meaning there and none here: whoever wrote it should know.
const LEFT_OUT: &[(&str, &[&str])] = &[("Task", &["Identity", "ScalingPolicies"]), ("Logs", &["Enabled"])];

/// The keys beside `Job` in what is sent to their servers.
const ENVELOPE: [&str; 9] = [
    "Job",
    "Diff",
    "EnforceIndex",
    "EvalPriority",
    "JobModifyIndex",
    "PolicyOverride",
    "PreserveCounts",
    "Submission",
    "WriteRequest",
];

/// Whether a document is a job in Nomad's form.
pub(crate) fn is_one(node: &Node) -> bool {
    node.get("Job").is_some() || (node.get("TaskGroups").is_some() && node.get("kind").is_none())
}

/// The same job as a document of ours.
pub(crate) fn shape(source: &Source, node: &Node) -> Shaped {
    let job = node.get("Job").map_or(node, |entry| &entry.value);
    let mut translation = Translation { source, said: Vec::new(), gaps: Gaps::default() };
    for entry in node.entries().filter(|_| node.get("Job").is_some()).unwrap_or_default() {
        if !ENVELOPE.contains(&entry.key.as_str()) {
            let error = source.error(&entry.key_span, format!("unknown key `{}` beside `Job`", entry.key));
            translation.said.push(error.allowed(ENVELOPE).nearest(&entry.key, ENVELOPE));
        }
    }
    let mut metadata = Vec::new();
    for (theirs, ours) in [("ID", "name"), ("Namespace", "namespace")] {
        if let Some(entry) = job.get(theirs).filter(|entry| is_given(&entry.value)) {
            metadata.push(Entry { key: ours.to_owned(), ..entry.clone() });
        }
    }
    let known = job.get("ID").and_then(|entry| entry.value.as_str());
    if let Some(title) =
        job.get("Name").filter(|entry| is_given(&entry.value) && entry.value.as_str() != known)
    {
        keep(&mut metadata, Entry { key: TITLE.to_owned(), ..title.clone() });
    }
    let spec = translation.structure(&SCHEMA.root, job, "/spec");
    let at = |value: NodeValue| Node::new(value, job.span.clone());
    let text = |text: &str| at(NodeValue::String(text.to_owned()));
    let entry = |key: &str, value: Node| Entry { key: key.to_owned(), key_span: first_of(&job.span), value };
    let entries = vec![
        entry("apiVersion", text(crate::text::API_VERSION)),
        entry("kind", text("Job")),
        entry("metadata", at(NodeValue::Object(metadata))),
        entry("spec", spec),
    ];
    let node = Some(at(NodeValue::Object(entries)));
    Shaped { node, said: translation.said, gaps: translation.gaps }
}

fn first_of(span: &Span) -> Span {
    span.start..span.start + 1
}

fn is_given(node: &Node) -> bool {
    !matches!(&node.value, NodeValue::Null) && node.as_str() != Some("")
}

struct Translation<'s> {
    source: &'s Source,
    said: Vec<Diagnostic>,
    gaps: Gaps,
}

impl Translation<'_> {
    /// A value in our words; it will stand at `pointer`.
    fn value(&mut self, shape: &Shape, node: &Node, pointer: &str) -> Node {
        let value = match (shape, &node.value) {
            (Shape::Struct(name), NodeValue::Object(_)) => return self.structure(name, node, pointer),
            (Shape::List(of), NodeValue::List(items)) => self.list(of, items.iter(), pointer),
            // Volumes are a map from their names there.
            (Shape::List(of), NodeValue::Object(entries)) if of.inner_struct().is_some() => {
                self.list(of, entries.iter().map(|entry| &entry.value), pointer)
            }
            (_, value) => value.clone(),
        };
        Node::new(value, node.span.clone())
    }

    fn list<'n>(&mut self, of: &Shape, items: impl Iterator<Item = &'n Node>, pointer: &str) -> NodeValue {
        let items = items.enumerate().map(|(at, item)| self.value(of, item, &format!("{pointer}/{at}")));
        NodeValue::List(items.collect())
    }

    fn structure(&mut self, name: &str, node: &Node, pointer: &str) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        for entry in node.entries().unwrap_or_default().iter().filter(|entry| is_given(&entry.value)) {
            let Some(field) = field(name, &entry.key) else {
                self.leave(name, entry, pointer);
                continue;
            };
            if entries.iter().any(|first| first.key == field.property) {
                let message = format!("`{}` stands twice in a {}", entry.key, their_word(name));
                self.said.push(self.source.error(&entry.key_span, message).hint("remove one of the two"));
                self.gaps.value(join(pointer, &field.property));
                continue;
            }
            let value = self.value(&field.shape, &entry.value, &join(pointer, &field.property));
            entries.push(Entry { key: field.property.clone(), key_span: entry.key_span.clone(), value });
        }
        match name {
            "Periodic" => entries.extend(crons(node)),
            "Network" => entries.extend(self.ports(node, pointer)),
            "Group" => {
                entries.extend(self.task_networks(node, pointer));
                entries.extend(disconnect(node));
            }
            _ => {}
        }
        Node::new(NodeValue::Object(entries), node.span.clone())
    }

    /// Leaves out what only servers set; anything else that is not known is a slip of the pen.
    fn leave(&mut self, name: &str, entry: &Entry, pointer: &str) {
        let key = entry.key.as_str();
        if knows(PASSED_OVER, name, key) {
            return;
        }
        if knows(LEFT_OUT, name, key) {
            let warning = format!("`{key}` of a {} is not understood and left out", their_word(name));
            return self.said.push(self.source.warning(&entry.key_span, warning));
        }
        let theirs = theirs(name);
        let allowed = || theirs.iter().map(String::as_str);
        let error =
            self.source.error(&entry.key_span, format!("unknown key `{key}` in a {}", their_word(name)));
        self.said.push(error.allowed(allowed()).nearest(key, allowed()));
        self.gaps.stranger(pointer, key);
        let meant = nearest(key, &allowed().collect::<Vec<_>>());
        if let Some(field) = meant.and_then(|meant| field(name, meant)) {
            self.gaps.field(pointer, field);
        }
    }

    /// Fixed and free ports are two lists there and one here.
    fn ports(&mut self, node: &Node, pointer: &str) -> Option<Entry> {
        let given = ["ReservedPorts", "DynamicPorts"]
            .into_iter()
            .filter_map(|key| node.get(key).map(|entry| (key, entry)));
        let mut ports = Vec::new();
        let mut place = None;
        for (key, entry) in given {
            place.get_or_insert_with(|| entry.key_span.clone());
            let NodeValue::List(items) = &entry.value.value else { continue };
            for item in items {
                let mut port = self.structure("Port", item, &format!("{pointer}/ports/{}", ports.len()));
                if let NodeValue::Object(entries) = &mut port.value {
                    entries.retain(|entry| entry.key != "static" || key == "ReservedPorts");
                    entries
                        .retain(|entry| entry.key != "to" || entry.value.to_json() != serde_json::json!(0));
                }
                ports.push(port);
            }
        }
        let key_span = place.filter(|_| !ports.is_empty())?;
        Some(Entry {
            key: "ports".to_owned(),
            value: Node::new(NodeValue::List(ports), key_span.clone()),
            key_span,
        })
    }

    /// Networks of tasks, the old form, where the group has none of its own.
    fn task_networks(&mut self, group: &Node, pointer: &str) -> Option<Entry> {
        let own = group.get("Networks").is_some_and(|entry| is_given(&entry.value));
        let tasks = group.get("Tasks").filter(|_| !own)?;
        let NodeValue::List(tasks) = &tasks.value.value else { return None };
        let mut all = tasks.iter().filter_map(|task| {
            task.get("Resources")?.value.get("Networks").filter(|entry| is_given(&entry.value))
        });
        let networks = all.next()?;
        if let Some(second) = all.next() {
            let message = "a second task has a network of its own, and only one can be read";
            let error = self.source.error(&second.key_span, message);
            self.said.push(error.hint("put the ports of both into the `Networks` of the TaskGroup"));
            self.gaps.value(join(pointer, "networks"));
        }
        let shape = Shape::List(Box::new(Shape::Struct("Network".to_owned())));
        let value = self.value(&shape, &networks.value, &join(pointer, "networks"));
        Some(Entry { key: "networks".to_owned(), key_span: networks.key_span.clone(), value })
    }
}

/// The older keys of a group that are one block now.
fn disconnect(group: &Node) -> Option<Entry> {
    const KEYS: [(&str, &str); 3] = [
        ("MaxClientDisconnect", "lostAfter"),
        ("StopAfterClientDisconnect", "stopOnClientAfter"),
        ("PreventRescheduleOnLost", "replace"),
    ];
    let is_new = group.get("Disconnect").is_some_and(|entry| is_given(&entry.value));
    let old = KEYS.iter().filter_map(|(theirs, ours)| {
        let Entry { key: _, key_span, value } = group.get(theirs).filter(|entry| is_given(&entry.value))?;
        let value = match &value.value {
            NodeValue::Bool(false) => return None,
            // Not to be replaced when lost is said the other way round.
            NodeValue::Bool(true) => Node::new(NodeValue::Bool(false), value.span.clone()),
            NodeValue::Null
            | NodeValue::Number(_)
            | NodeValue::String(_)
            | NodeValue::List(_)
            | NodeValue::Object(_) => value.clone(),
        };
        Some(Entry { key: (*ours).to_owned(), key_span: key_span.clone(), value })
    });
    let entries: Vec<Entry> = old.collect();
    let key_span = entries.first().filter(|_| !is_new)?.key_span.clone();
    let value = Node::new(NodeValue::Object(entries), key_span.clone());
    Some(Entry { key: "disconnect".to_owned(), key_span, value })
}

/// What Nomad calls a struct.
fn their_word(name: &str) -> &str {
    match name {
        "JobSpec" => "Job",
        "Group" => "TaskGroup",
        other => other,
    }
}

fn knows(table: &[(&str, &[&str])], name: &str, key: &str) -> bool {
    table.iter().any(|(of, keys)| *of == name && keys.contains(&key))
}

/// What Nomad calls the fields of a struct, in our order.
fn theirs(name: &str) -> Vec<String> {
    let spelled = |field: &Field| {
        let renamed = RENAMED.iter().find(|(of, _, ours)| *of == name && *ours == field.property);
        renamed.map_or_else(
            || {
                let (first, rest) = field.property.split_at(1);
                first.to_uppercase() + rest
            },
            |(_, theirs, _)| (*theirs).to_owned(),
        )
    };
    SCHEMA.fields(name).iter().map(spelled).collect()
}

/// The field of a struct that Nomad calls so; capitals do not count.
fn field(name: &str, key: &str) -> Option<&'static Field> {
    let their_name = theirs(name).into_iter().position(|theirs| theirs.eq_ignore_ascii_case(key))?;
    SCHEMA.fields(name).get(their_name)
}

/// `Spec` is the old form of a list of one.
fn crons(node: &Node) -> Option<Entry> {
    let spec = node.get("Spec").filter(|entry| is_given(&entry.value))?;
    let many = node.get("Specs").is_some_and(|entry| is_given(&entry.value));
    let value = Node::new(NodeValue::List(vec![spec.value.clone()]), spec.value.span.clone());
    (!many).then(|| Entry { key: "crons".to_owned(), key_span: spec.key_span.clone(), value })
}
