//! Ports of tasks, from the time when each task had a network of its own: two tasks could call theirs the same.
//!
//! Now all ports belong to the group. The later of two gets the name of its task before its own; whatever the task
//! says of its port means that one, and its variables have the names that the task expects.

use std::collections::BTreeSet;

use crate::text::hcl::{Block, Body};
use crate::text::node::{Entry, Node, NodeValue};
use crate::text::source::Span;

/// The variables that speak of a port, without `NOMAD_` and the port's name.
const VARIABLES: [&str; 7] = ["ADDR", "ALLOC_PORT", "HOST_ADDR", "HOST_IP", "HOST_PORT", "IP", "PORT"];

/// Gives the ports of a task names that no other port of the group has. `taken` are those; it learns the new ones.
pub(super) fn tell_apart(task: &mut Block, networks: &mut [Block], taken: &mut BTreeSet<String>) {
    let mut own = BTreeSet::new();
    let ports = networks.iter_mut().flat_map(|network| &mut network.body.blocks);
    for port in ports.filter(|block| block.kind == "port") {
        let Some(label) = port.labels.first_mut() else { continue };
        if taken.contains(&label.text) {
            let name = task.labels.first().map(|label| label.text.as_str()).unwrap_or_default();
            let made = format!("{}_{}", word(name), label.text);
            speak_of(&mut task.body, (label.text.as_str(), made.as_str()), &label.span);
            label.text = made;
        }
        own.insert(label.text.clone());
    }
    taken.extend(own);
}

/// A name as part of a port's.
fn word(name: &str) -> String {
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    name.chars().map(|letter| if is_fit(letter) { letter } else { '_' }).collect()
}

/// As part of a variable's name.
fn variable(label: &str) -> String {
    label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Whatever a task says of a port by its old name it says by the new one.
fn speak_of(task: &mut Body, (old, new): (&str, &str), span: &Span) {
    for block in &mut task.blocks {
        match block.kind.as_str() {
            "service" => {
                port(&mut block.body, (old, new));
                let checks = block.body.blocks.iter_mut().filter(|block| block.kind == "check");
                checks.for_each(|check| port(&mut check.body, (old, new)));
            }
            "config" => {
                for entry in block.body.attributes.iter_mut().filter(|entry| entry.key == "ports") {
                    if let NodeValue::List(items) = &mut entry.value.value {
                        items.iter_mut().for_each(|item| text(item, (old, new)));
                    }
                }
                mapped(&mut block.body, (old, new));
            }
            _ => {}
        }
    }
    variables(task, (old, new), span);
}

fn port(body: &mut Body, names: (&str, &str)) {
    body.attributes
        .iter_mut()
        .filter(|entry| entry.key == "port")
        .for_each(|entry| text(&mut entry.value, names));
}

fn text(node: &mut Node, (old, new): (&str, &str)) {
    if node.as_str() == Some(old) {
        node.value = NodeValue::String(new.to_owned());
    }
}

/// `port_map { http = 80 }`, a block or an attribute.
fn mapped(config: &mut Body, (old, new): (&str, &str)) {
    let blocks = config.blocks.iter_mut().filter(|block| block.kind == "port_map");
    let mut entries: Vec<&mut Entry> = blocks.flat_map(|block| &mut block.body.attributes).collect();
    for entry in config.attributes.iter_mut().filter(|entry| entry.key == "port_map") {
        if let NodeValue::Object(inner) = &mut entry.value.value {
            entries.extend(inner);
        }
    }
    entries.into_iter().filter(|entry| entry.key == old).for_each(|entry| new.clone_into(&mut entry.key));
}

/// The task finds its port under the name that it gave it, unless it sets the variable itself.
fn variables(task: &mut Body, (old, new): (&str, &str), span: &Span) {
    if !task.blocks.iter().any(|block| block.kind == "env") {
        task.blocks.push(super::legacy::made("env", span, Body::default()));
    }
    let given = |body: &Body, name: &str| {
        let blocks = body.blocks.iter().filter(|block| block.kind == "env");
        blocks.flat_map(|block| &block.body.attributes).any(|entry| entry.key == name)
    };
    for kind in VARIABLES {
        let name = format!("NOMAD_{kind}_{}", variable(old));
        if given(task, &name) {
            continue;
        }
        let value =
            Node::new(NodeValue::String(format!("${{NOMAD_{kind}_{}}}", variable(new))), span.clone());
        let entry = Entry { key: name, key_span: span.clone(), value };
        task.blocks.iter_mut().filter(|block| block.kind == "env").take(1).for_each(|block| {
            block.body.attributes.push(entry.clone());
        });
    }
}
