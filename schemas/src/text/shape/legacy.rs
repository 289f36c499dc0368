//! Old forms that job files still carry. They are understood, with a warning that shows the modern form.

use std::collections::BTreeSet;

use super::{Shaper, task_ports};
use crate::text::hcl::{Block, Body};
use crate::text::node::{Entry, Node, NodeValue};
use crate::text::source::Span;

/// Attributes that mean nothing any more: block, attribute, what to do.
const DROPPED: &[(&str, &str, &str)] = &[
    ("Network", "mbits", "remove it: bandwidth is not scheduled"),
    ("Network", "device", "remove it: the node chooses the network, `host_network` of a port names one"),
    ("Network", "cidr", "remove it: the node chooses the network, `host_network` of a port names one"),
    ("Network", "ip", "remove it: the node chooses the address"),
    ("Resources", "iops", "remove it: it is not scheduled"),
    ("Resources", "disk", "remove it: disk space is `ephemeral_disk { size = … }` of the group"),
];

/// Attributes that have a new name: block, old, new.
const RENAMED: &[(&str, &str, &str)] =
    &[("Update", "healthy_time", "min_healthy_time"), ("Periodic", "timezone", "time_zone")];

/// Rewrites the old forms of a block.
pub(super) fn prepare(shaper: &mut Shaper<'_>, name: &str, body: &mut Body) {
    drop_attributes(shaper, name, body);
    for (_, old, new) in RENAMED.iter().filter(|(block, _, _)| *block == name) {
        if let Some(entry) = body.attributes.iter_mut().find(|entry| entry.key == *old) {
            shaper.warn(
                &entry.key_span,
                &format!("`{old}` is the old name of `{new}`"),
                &format!("write `{new} = …`"),
            );
            (*new).clone_into(&mut entry.key);
        }
    }
    match name {
        "Periodic" => cron(shaper, body),
        "Update" => stagger(shaper, body),
        "Group" => {
            task_networks(shaper, body);
            disconnect(shaper, body);
        }
        "Logs" => logs_enabled(shaper, body),
        _ => {}
    }
}

fn drop_attributes(shaper: &mut Shaper<'_>, name: &str, body: &mut Body) {
    for (_, key, hint) in DROPPED.iter().filter(|(block, _, _)| *block == name) {
        if let Some(position) = body.attributes.iter().position(|entry| entry.key == *key) {
            let entry = body.attributes.remove(position);
            shaper.warn(&entry.key_span, &format!("`{key}` has no effect any more"), hint);
        }
    }
}

/// `cron = "…"` is a list of one.
fn cron(shaper: &mut Shaper<'_>, body: &mut Body) {
    if body.attribute("crons").is_some() {
        return;
    }
    let Some(entry) = body.attributes.iter_mut().find(|entry| entry.key == "cron") else { return };
    let shown = shaper.source.slice(&entry.value.span).to_owned();
    shaper.warn(&entry.key_span, "`cron` is the old form of `crons`", &format!("write `crons = [{shown}]`"));
    "crons".clone_into(&mut entry.key);
    if matches!(entry.value.value, NodeValue::String(_)) {
        let span = entry.value.span.clone();
        entry.value = Node::new(NodeValue::List(vec![entry.value.clone()]), span);
    }
}

fn stagger(shaper: &mut Shaper<'_>, body: &Body) {
    if let Some(entry) = body.attribute("stagger") {
        let hint = "remove it, or write `min_healthy_time` to say how long an instance must be well";
        shaper.warn(
            &entry.key_span,
            "`stagger` has no effect any more: health decides when the next instance is replaced",
            hint,
        );
    }
}

fn logs_enabled(shaper: &mut Shaper<'_>, body: &mut Body) {
    if let Some(entry) = body.attributes.iter_mut().find(|entry| entry.key == "enabled") {
        shaper.warn(
            &entry.key_span,
            "`enabled` is the old form of `disabled`",
            "write `disabled = true` to keep no logs",
        );
        "disabled".clone_into(&mut entry.key);
        if let NodeValue::Bool(flag) = &mut entry.value.value {
            *flag = !*flag;
        }
    }
}

/// `max_client_disconnect` and its companions are a `disconnect` block now.
fn disconnect(shaper: &mut Shaper<'_>, body: &mut Body) {
    const KEYS: [(&str, &str); 3] = [
        ("max_client_disconnect", "lost_after"),
        ("stop_after_client_disconnect", "stop_on_client_after"),
        ("prevent_reschedule_on_lost", "replace"),
    ];
    let mut attributes = Vec::new();
    for (old, new) in KEYS {
        let Some(position) = body.attributes.iter().position(|entry| entry.key == old) else { continue };
        let mut entry = body.attributes.remove(position);
        let shown = if new == "replace" {
            "false".to_owned()
        } else {
            shaper.source.slice(&entry.value.span).to_owned()
        };
        let hint = format!("write `disconnect {{ {new} = {shown} }}`");
        shaper.warn(&entry.key_span, &format!("`{old}` is the old form of `disconnect.{new}`"), &hint);
        if let (NodeValue::Bool(flag), "replace") = (&mut entry.value.value, new) {
            *flag = !*flag;
        }
        attributes.push(Entry { key: new.to_owned(), ..entry });
    }
    let Some(first) = attributes.first() else { return };
    let span = first.key_span.clone();
    if let Some(block) = body.blocks.iter_mut().find(|block| block.kind == "disconnect") {
        block.body.attributes.extend(attributes);
        return;
    }
    body.blocks.push(made("disconnect", &span, Body { attributes, ..Body::default() }));
}

/// A network within the resources of a task is the network of the group now.
fn task_networks(shaper: &mut Shaper<'_>, body: &mut Body) {
    let mut lifted: Vec<Block> = Vec::new();
    let mut taken = labels(body);
    for task in body.blocks.iter_mut().filter(|block| block.kind == "task") {
        let mut own: Vec<Block> = Vec::new();
        for resources in task.body.blocks.iter_mut().filter(|block| block.kind == "resources") {
            let (networks, rest) = std::mem::take(&mut resources.body.blocks)
                .into_iter()
                .partition(|block| block.kind == "network");
            resources.body.blocks = rest;
            own.extend::<Vec<Block>>(networks);
        }
        task_ports::tell_apart(task, &mut own, &mut taken);
        lifted.append(&mut own);
    }
    for network in &lifted {
        let message = "`network` inside `resources` is the old form";
        shaper.warn(&network.kind_span, message, "put the `network` block into the `group`");
    }
    let mut lifted = lifted.into_iter();
    if let Some(mut network) = lifted.next() {
        for more in lifted {
            network.body.blocks.extend(more.body.blocks);
        }
        match body.blocks.iter_mut().find(|block| block.kind == "network") {
            Some(existing) => existing.body.blocks.extend(network.body.blocks),
            None => body.blocks.push(network),
        }
    }
    port_maps(shaper, body);
}

/// The names of the ports that the group's own network has.
fn labels(group: &Body) -> BTreeSet<String> {
    let networks = group.blocks.iter().filter(|block| block.kind == "network");
    let ports = networks.flat_map(|network| &network.body.blocks).filter(|block| block.kind == "port");
    ports.filter_map(|port| port.labels.first()).map(|label| label.text.clone()).collect()
}

/// `port_map { http = 80 }` in a driver's `config` is `to = 80` of the group's port now.
fn port_maps(shaper: &mut Shaper<'_>, body: &mut Body) {
    let mut maps: Vec<Entry> = Vec::new();
    for task in body.blocks.iter_mut().filter(|block| block.kind == "task") {
        for config in task.body.blocks.iter_mut().filter(|block| block.kind == "config") {
            let ports = take_port_map(shaper, &mut config.body);
            if let Some(first) = ports.first().filter(|_| config.body.attribute("ports").is_none()) {
                let span = first.key_span.clone();
                let names = ports
                    .iter()
                    .map(|port| Node::new(NodeValue::String(port.key.clone()), port.key_span.clone()));
                let value = Node::new(NodeValue::List(names.collect()), span.clone());
                config.body.attributes.push(Entry { key: "ports".to_owned(), key_span: span, value });
            }
            maps.extend(ports);
        }
    }
    let Some(network) = body.blocks.iter_mut().find(|block| block.kind == "network") else { return };
    for map in maps {
        let port = network.body.blocks.iter_mut().find(|block| {
            block.kind == "port" && block.labels.first().is_some_and(|label| label.text == map.key)
        });
        if let Some(port) = port.filter(|port| port.body.attribute("to").is_none()) {
            port.body.attributes.push(Entry { key: "to".to_owned(), ..map });
        }
    }
}

/// The entries of every `port_map` of a body, block or attribute.
fn take_port_map(shaper: &mut Shaper<'_>, body: &mut Body) -> Vec<Entry> {
    let mut ports = Vec::new();
    let mut warn = |span: &Span| {
        let hint = "write `port \"…\" { to = … }` in the group's `network` and `ports = [\"…\"]` in `config`";
        shaper.warn(span, "`port_map` is the old form", hint);
    };
    for block in std::mem::take(&mut body.blocks) {
        if block.kind == "port_map" {
            warn(&block.kind_span);
            ports.extend(block.body.attributes);
        } else {
            body.blocks.push(block);
        }
    }
    for entry in std::mem::take(&mut body.attributes) {
        match entry.value.entries() {
            Some(entries) if entry.key == "port_map" => {
                warn(&entry.key_span);
                ports.extend(entries.to_vec());
            }
            Some(_) | None => body.attributes.push(entry),
        }
    }
    ports
}

pub(super) fn made(kind: &str, span: &Span, body: Body) -> Block {
    Block { kind: kind.to_owned(), kind_span: span.clone(), labels: Vec::new(), body, span: span.clone() }
}
