//! The network of a group and its ports.

use std::collections::BTreeMap;

use super::names::unique;
use super::problem::{Place, Report};
use crate::group::Group;
use crate::network::{Network, Port};

/// The network of a group.
pub(super) fn networks(report: &mut Report, place: &Place, group: &Group) {
    if let [_, .., _] = group.networks.as_slice() {
        report
            .error(&place.key("networks"), "a group has at most one network")
            .hint("put all ports into one");
    }
    for (place, each) in place.each("networks", &group.networks) {
        network(report, &place, each);
    }
}

fn network(report: &mut Report, place: &Place, network: &Network) {
    let mode = network.mode.as_str();
    let plugin = mode.strip_prefix("cni/");
    if plugin == Some("") {
        report
            .error(&place.key("mode"), "the name of the network plugin is missing")
            .hint("such as `cni/mynet`");
    } else if plugin.is_none() && !["host", "bridge", "none"].contains(&mode) {
        report.unknown(&place.key("mode"), "network mode", mode, &["host", "bridge", "none", "cni/<name>"]);
    }
    if network.hostname.is_some() && mode != "bridge" {
        report
            .error(&place.key("hostname"), "a host name needs network mode `bridge`")
            .depends_on(&place.key("mode"));
    }
    if network.cni.is_some() && plugin.is_none() && mode != "bridge" {
        report
            .error(&place.key("cni"), "arguments for a network plugin need mode `bridge` or `cni/<name>`")
            .depends_on(&place.key("mode"));
    }
    if mode == "none" && !network.ports.is_empty() {
        report.error(&place.key("ports"), "network mode `none` has no ports");
    }
    for (place, each) in place.each("ports", &network.ports) {
        port(report, &place, each);
    }
    unique(
        report,
        "port",
        place.each("ports", &network.ports).map(|(place, port)| (place, port.label.as_str())),
    );
    collisions(report, place, &network.ports);
}

fn port(report: &mut Report, place: &Place, port: &Port) {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if port.label.is_empty() || !port.label.chars().all(is_letter) {
        report
            .error(&place.key("label"), format!("`{}` cannot name a port", port.label))
            .hint("use letters, digits, `_` and `-`: it becomes part of environment variables");
    }
    if port.static_port == Some(0) {
        report.error(&place.key("static"), "port 0 does not exist").hint("leave it out for a free port");
    }
    if let Some(to) = port.to.filter(|to| !(-1..=65_535).contains(to)) {
        report
            .error(&place.key("to"), format!("{to} is not a port"))
            .hint("1 to 65535, or -1 for the same port");
    }
}

/// Two ports of one instance cannot be the same port of one network, unless both say that they share it.
fn collisions(report: &mut Report, place: &Place, ports: &[Port]) {
    let mut taken: BTreeMap<(&str, u16), &str> = BTreeMap::new();
    let list = place;
    for (place, port) in list.each("ports", ports) {
        let Some(number) = port.static_port else { continue };
        if let Some(other) = taken.insert((&port.host_network, number), &port.label) {
            report
                .error(&place.key("static"), format!("port {number} is also the port `{other}`"))
                .depends_on(&list.key("ports"));
        }
    }
}
