//! Nomad's own JSON form of a job, which its API and tools speak: `{"Job": {"ID": …, "TaskGroups": […]}}`.
//!
//! Its names are ours in capitals, up to a table of exceptions. Empty strings and nulls stand for "not given",
//! and what only its servers set is left out.

use super::job::SCHEMA;
use crate::text::diagnostic::Diagnostic;
use crate::text::node::{Entry, Node, NodeValue};
use crate::text::schema::Shape;
use crate::text::source::{Source, Span};

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

/// What only servers set, and what has no effect any more.
const DROPPED: &[&str] = &[
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "SubmitTime",
    "Status",
    "StatusDescription",
    "Stable",
    "Version",
    "VersionTag",
    "Dispatched",
    "DispatchIdempotencyToken",
    "Payload",
    "ParentID",
    "VaultToken",
    "ConsulToken",
    "ConsulNamespace",
    "VaultNamespace",
    "NomadTokenID",
    "SpecType",
    "Spec",
    "ID",
    "Name",
    "Namespace",
    "DiskMB",
    "IOPS",
    "Networks",
    "Device",
    "CIDR",
    "IP",
    "MBits",
    "ReservedPorts",
    "DynamicPorts",
    "StopAfterClientDisconnect",
    "MaxClientDisconnect",
    "PreventRescheduleOnLost",
    "UsesDeprecatedVaultBlock",
];

/// Whether a document is a job in Nomad's form.
pub(crate) fn is_one(node: &Node) -> bool {
    node.get("Job").is_some() || (node.get("TaskGroups").is_some() && node.get("kind").is_none())
}

/// The same job as a document of ours.
pub(crate) fn shape(source: &Source, node: &Node) -> (Node, Vec<Diagnostic>) {
    let job = node.get("Job").map_or(node, |entry| &entry.value);
    let mut translation = Translation { source, said: Vec::new() };
    let mut metadata = Vec::new();
    for (theirs, ours) in [("ID", "name"), ("Namespace", "namespace")] {
        if let Some(entry) = job.get(theirs).filter(|entry| is_given(&entry.value)) {
            metadata.push(Entry { key: ours.to_owned(), ..entry.clone() });
        }
    }
    let spec = translation.structure(&SCHEMA.root, job);
    let at = |value: NodeValue| Node::new(value, job.span.clone());
    let text = |text: &str| at(NodeValue::String(text.to_owned()));
    let entry = |key: &str, value: Node| Entry { key: key.to_owned(), key_span: first_of(&job.span), value };
    let entries = vec![
        entry("apiVersion", text(crate::text::API_VERSION)),
        entry("kind", text("Job")),
        entry("metadata", at(NodeValue::Object(metadata))),
        entry("spec", spec),
    ];
    (at(NodeValue::Object(entries)), translation.said)
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
}

impl Translation<'_> {
    fn value(&mut self, shape: &Shape, node: &Node) -> Node {
        let value = match (shape, &node.value) {
            (Shape::Struct(name), NodeValue::Object(_)) => return self.structure(name, node),
            (Shape::List(of), NodeValue::List(items)) => {
                NodeValue::List(items.iter().map(|item| self.value(of, item)).collect())
            }
            // Volumes are a map from their names there.
            (Shape::List(of), NodeValue::Object(entries)) if of.inner_struct().is_some() => {
                NodeValue::List(entries.iter().map(|entry| self.value(of, &entry.value)).collect())
            }
            (_, value) => value.clone(),
        };
        Node::new(value, node.span.clone())
    }

    fn structure(&mut self, name: &str, node: &Node) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        for entry in node.entries().unwrap_or_default().iter().filter(|entry| is_given(&entry.value)) {
            let renamed = RENAMED.iter().find(|(of, theirs, _)| *of == name && *theirs == entry.key);
            let property = renamed.map_or(entry.key.as_str(), |(_, _, ours)| ours);
            let fields = SCHEMA.fields(name);
            let Some(field) = fields.iter().find(|field| field.property.eq_ignore_ascii_case(property))
            else {
                self.leave(name, entry);
                continue;
            };
            let value = self.value(&field.shape, &entry.value);
            entries.push(Entry { key: field.property.clone(), key_span: entry.key_span.clone(), value });
        }
        match name {
            "Periodic" => entries.extend(crons(node)),
            "Network" => entries.extend(self.ports(node)),
            "Group" => entries.extend(self.task_networks(node)),
            _ => {}
        }
        Node::new(NodeValue::Object(entries), node.span.clone())
    }

    fn leave(&mut self, name: &str, entry: &Entry) {
        if !DROPPED.contains(&entry.key.as_str()) {
            let warning = format!("`{}` of `{name}` is not understood and left out", entry.key);
            self.said.push(self.source.warning(&entry.key_span, warning));
        }
    }

    /// Fixed and free ports are two lists there and one here.
    fn ports(&mut self, node: &Node) -> Option<Entry> {
        let given = ["ReservedPorts", "DynamicPorts"]
            .into_iter()
            .filter_map(|key| node.get(key).map(|entry| (key, entry)));
        let mut ports = Vec::new();
        let mut place = None;
        for (key, entry) in given {
            place.get_or_insert_with(|| entry.key_span.clone());
            let NodeValue::List(items) = &entry.value.value else { continue };
            for item in items {
                let mut port = self.structure("Port", item);
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
    fn task_networks(&mut self, group: &Node) -> Option<Entry> {
        let own = group.get("Networks").is_some_and(|entry| is_given(&entry.value));
        let tasks = group.get("Tasks").filter(|_| !own)?;
        let NodeValue::List(tasks) = &tasks.value.value else { return None };
        let networks = tasks.iter().find_map(|task| {
            task.get("Resources")?.value.get("Networks").filter(|entry| is_given(&entry.value))
        })?;
        let shape = Shape::List(Box::new(Shape::Struct("Network".to_owned())));
        let value = self.value(&shape, &networks.value);
        Some(Entry { key: "networks".to_owned(), key_span: networks.key_span.clone(), value })
    }
}

/// `Spec` is the old form of a list of one.
fn crons(node: &Node) -> Option<Entry> {
    let spec = node.get("Spec").filter(|entry| is_given(&entry.value))?;
    let many = node.get("Specs").is_some_and(|entry| is_given(&entry.value));
    let value = Node::new(NodeValue::List(vec![spec.value.clone()]), spec.value.span.clone());
    (!many).then(|| Entry { key: "crons".to_owned(), key_span: spec.key_span.clone(), value })
}
