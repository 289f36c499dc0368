//! `encamp explain job.groups.tasks`: what a field means, its type, its default, and what is in it.

use std::fmt;

use serde_json::Value;

use crate::schema;
use crate::validate::{self, nearest};

/// What there is to say about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The path in its proper spelling.
    pub path: String,
    /// What it holds, such as `list of Task`.
    pub holds: String,
    /// What it means.
    pub description: String,
    /// The values it may have, with their meanings, if they can be listed.
    pub values: Vec<(String, String)>,
    /// What is in it.
    pub fields: Vec<Field>,
}

/// One field of an explained object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// What it holds.
    pub holds: String,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it means.
    pub description: String,
}

/// A path that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The first word is no kind of document.
    #[error(transparent)]
    UnknownKind(#[from] schema::UnknownKind),
    /// There is no such field.
    #[error("`{parent}` has no field `{field}`: {advice}")]
    UnknownField {
        /// Where the field was looked for.
        parent: String,
        /// The word.
        field: String,
        /// The nearest field, or all of them.
        advice: String,
    },
}

/// Explains the field at a path that begins with a kind; `spec` may be left out, and job file spellings work.
pub fn explain(path: &[&str]) -> Result<Explanation, ExplainError> {
    let (kind, fields) = path.split_first().map_or(("", path), |(kind, fields)| (*kind, fields));
    let root = schema::of(kind)?;
    let mut here = Spot { path: kind.to_lowercase(), schema: root.clone(), is_required: true };
    for field in fields {
        if let Some(keys) = validate::driver_keys(field).filter(|_| here.is_task(&root)) {
            return Ok(driver(&here.path, field, keys));
        }
        here = here.step(&root, field)?;
    }
    Ok(here.explanation(&root))
}

/// A place in a schema.
struct Spot {
    path: String,
    schema: Value,
    is_required: bool,
}

impl Spot {
    fn is_task(&self, root: &Value) -> bool {
        object_of(root, &self.schema)["properties"]["driver"].is_object()
    }

    fn step(&self, root: &Value, word: &str) -> Result<Spot, ExplainError> {
        let object = object_of(root, &self.schema);
        if let Some(found) = self.field(object, word) {
            return Ok(found);
        }
        let spec = Spot {
            path: format!("{}.spec", self.path),
            schema: object["properties"]["spec"].clone(),
            is_required: true,
        };
        if !spec.schema.is_null() {
            return spec.step(root, word);
        }
        let known: Vec<&str> =
            object["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let advice = match nearest(word, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "it has no fields".to_owned(),
            None => format!("it has {}", known.join(", ")),
        };
        Err(ExplainError::UnknownField { parent: self.path.clone(), field: word.to_owned(), advice })
    }

    fn field(&self, object: &Value, word: &str) -> Option<Spot> {
        let properties = object["properties"].as_object()?;
        let (name, schema) = properties.iter().find(|(name, _)| is_spelling(word, name))?;
        let path = format!("{}.{name}", self.path);
        Some(Spot { path, schema: schema.clone(), is_required: is_required(object, name) })
    }

    fn explanation(&self, root: &Value) -> Explanation {
        let object = object_of(root, &self.schema);
        let own = text(&self.schema, "description");
        let of_type = text(object, "description");
        let description =
            if own == of_type || own.is_empty() { of_type } else { format!("{own}\n{of_type}") };
        let mut holds = holds(root, &self.schema);
        if !self.is_required {
            holds.push_str(", optional");
        }
        let fields = object["properties"].as_object().into_iter().flatten().map(|(name, schema)| Field {
            name: name.clone(),
            holds: self::holds(root, schema),
            is_required: is_required(object, name),
            description: text(schema, "description"),
        });
        let path = self.path.clone();
        let description = description.trim().to_owned();
        Explanation { path, holds, description, values: values(object), fields: fields.collect() }
    }
}

/// Whether the word is the field: by its name, or as a job file spells it (`kill_timeout`, one `task`).
fn is_spelling(word: &str, name: &str) -> bool {
    let fold = |text: &str| text.replace('_', "").to_lowercase();
    let (word, name) = (fold(word), fold(name));
    let singular = name.strip_suffix("ies").map(|stem| format!("{stem}y"));
    word == name || Some(word.as_str()) == name.strip_suffix('s') || Some(word) == singular
}

fn is_required(object: &Value, name: &str) -> bool {
    object["required"].as_array().is_some_and(|required| required.iter().any(|field| field == name))
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().to_owned()
}

/// The object that a field leads to: through references, list items and map values.
fn object_of<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).expect("references lead to definitions");
        return object_of(root, target);
    }
    if schema["items"].is_object() {
        return object_of(root, &schema["items"]);
    }
    if schema["additionalProperties"].is_object() && schema["properties"].is_null() {
        return object_of(root, &schema["additionalProperties"]);
    }
    schema
}

/// What a field holds, in words.
fn holds(root: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        let target = root.pointer(reference.trim_start_matches('#')).expect("references lead to definitions");
        let is_word = target["properties"].is_null() && target["type"] != "object";
        return if is_word { "word".to_owned() } else { name.to_owned() };
    }
    if schema["format"] == "duration" {
        return "duration".to_owned();
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", holds(root, &schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("map of {}", holds(root, &schema["additionalProperties"]))
        }
        Some("object") if schema["properties"].is_null() => "map".to_owned(),
        Some(name) => name.to_owned(),
        None if schema.get("const").is_some() => "word".to_owned(),
        None => "any".to_owned(),
    }
}

/// The words that a field may hold, with their meanings.
fn values(schema: &Value) -> Vec<(String, String)> {
    let one = |option: &Value| Some((option["const"].as_str()?.to_owned(), text(option, "description")));
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let described = schema["oneOf"].as_array().into_iter().flatten().filter_map(one);
    described.chain(listed.map(|word| (word.to_owned(), String::new()))).collect()
}

/// The keys that a driver understands in a task's `config`.
fn driver(task: &str, driver: &str, keys: &[&str]) -> Explanation {
    let field = |key: &&str| {
        let name = (*key).to_owned();
        Field { name, holds: String::new(), is_required: false, description: String::new() }
    };
    Explanation {
        path: format!("{task}.config"),
        holds: "map".to_owned(),
        description: format!("What the {driver} driver is told."),
        values: Vec::new(),
        fields: keys.iter().map(field).collect(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  <{}>", self.path, self.holds)?;
        for line in self.description.lines() {
            writeln!(f, "  {line}")?;
        }
        if !self.values.is_empty() {
            writeln!(f, "\nVALUES")?;
        }
        let width = self.values.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
        for (word, meaning) in &self.values {
            writeln!(f, "{}", format!("  {word:width$}  {meaning}").trim_end())?;
        }
        if !self.fields.is_empty() {
            writeln!(f, "\nFIELDS")?;
        }
        for Field { name, holds, is_required, description } in &self.fields {
            let holds = if holds.is_empty() { String::new() } else { format!("  <{holds}>") };
            writeln!(f, "  {name}{holds}{}", if *is_required { "  required" } else { "" })?;
            for line in description.lines() {
                writeln!(f, "      {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str) -> String {
        match explain(&path.split('.').collect::<Vec<_>>()) {
            Ok(explanation) => explanation.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn objects_list_their_fields() {
        insta::assert_snapshot!(said("job.groups.tasks.lifecycle"), @"
        job.spec.groups.tasks.lifecycle  <Lifecycle, optional>
          When it runs in the life of its group. Default: it is a main task.
          When a task runs in the life of its group.

        FIELDS
          hook  <word>  required
              `prestart` (before the main tasks), `poststart` (after they started) or `poststop` (after they ended).
          sidecar  <boolean>
              Whether it keeps running beside the main tasks and is restarted like them. Default: false.
        ");
        insta::assert_snapshot!(said("job.groups.networks.ports"), @"
        job.spec.groups.networks.ports  <list of Port, optional>
          The ports that the group listens on.
          One port under a name.

        FIELDS
          label  <string>  required
              The name under which tasks, services and checks find the port.
          static  <integer>
              A fixed port on the node. Default: a free port between 20000 and 32000 is chosen.
          to  <integer>
              The port inside the allocation's own network; -1 means the same as on the node.
          hostNetwork  <string>
              The node's named network whose address is used. Default: `default`.
          ignoreCollision  <boolean>
              Lets several allocations of one node listen on the same static port (they must set `SO_REUSEPORT`). Default: false.
        ");
    }

    #[test]
    fn values_are_listed() {
        insta::assert_snapshot!(said("job.type"), @"
        job.spec.type  <word, optional>
          `service` (runs until stopped), `batch` (runs until done), `system` (on every node) or `sysbatch` (once on
          every node). Default: `service`.
          How long a job runs and on how many nodes.

        VALUES
          service   Runs until stopped.
          batch     Runs until done.
          system    Runs until stopped, one instance on every node that fits.
          sysbatch  Runs until done, one instance on every node that fits.
        ");
    }

    #[test]
    fn job_file_spellings_lead_to_the_same_field() {
        assert_eq!(said("job.group.task.kill_timeout"), said("job.spec.groups.tasks.killTimeout"));
        assert_eq!(said("job.affinity"), said("job.spec.affinities"));
        insta::assert_snapshot!(said("job.group.task.kill_timeout"), @"
        job.spec.groups.tasks.killTimeout  <duration, optional>
          How long it may take to end after the stop signal. Default: 5s.
        ");
    }

    #[test]
    fn drivers_are_known() {
        insta::assert_snapshot!(said("job.groups.tasks.qemu"), @"
        job.spec.groups.tasks.config  <map>
          What the qemu driver is told.

        FIELDS
          accelerator
          args
          drive_interface
          emulator
          graceful_shutdown
          guest_agent
          image_path
          machine_type
          port_map
        ");
    }

    #[test]
    fn wrong_paths_say_where_and_what_instead() {
        let table = ["jbo", "job.gruops", "job.groups.zebra", "job.groups.count.x", ""];
        insta::assert_snapshot!(table.map(said).join("\n"), @"
        unknown kind `jbo`: did you mean `job`?
        `job.spec` has no field `gruops`: did you mean `groups`?
        `job.spec.groups` has no field `zebra`: it has name, count, constraints, affinities, spreads, networks, volumes, update, migrate, restart, reschedule, disconnect, ephemeralDisk, scaling, services, tasks, shutdownDelay, maxRunDuration, meta, consul, vault, secrets
        `job.spec.groups.count` has no field `x`: it has no fields
        unknown kind ``: there are job, node, jobversion, deployment, fingerprint, health, details, plan, problem
        ");
    }
}
