//! Whether a node may take an instance at all, however much room it has.

use schemas::network::Network;
use schemas::pattern;

use crate::demand::{Access, Demand};
use crate::rule::Facts;
use crate::standing::Standing;
use crate::unfit::Unfit;

/// Whether a node may take new instances of the group.
pub fn may_take(demand: &Demand, standing: Standing, facts: Facts) -> Result<(), Unfit> {
    if !standing.is_ready {
        return Err(Unfit::NotReady);
    }
    if !standing.is_eligible {
        return Err(Unfit::Ineligible);
    }
    belongs(demand, facts)?;
    has_leave(demand, facts)?;
    has_drivers(demand, facts)
}

/// Whether instances of the group belong on a node: what running ones are judged by again when the rules
/// change. A driver that fails for a while is no reason to stop what runs.
pub fn belongs(demand: &Demand, facts: Facts) -> Result<(), Unfit> {
    let fingerprint = facts.fingerprint;
    let pool = demand.spec.node_pool.as_str();
    if pool != "all" && pool != fingerprint.pool {
        return Err(Unfit::Pool);
    }
    if !demand.spec.datacenters.iter().any(|glob| pattern::glob(glob, &fingerprint.datacenter)) {
        return Err(Unfit::Datacenter);
    }
    if let Some(rule) = demand.rules.iter().find(|rule| !rule.holds(facts)) {
        return Err(Unfit::Constraint(rule.text.clone()));
    }
    if let Some(device) = demand.ask.devices.first() {
        // No agent reports devices yet.
        return Err(Unfit::Device(device.device.name.clone()));
    }
    has_network(demand.group.network(), facts)?;
    has_volumes(demand, facts)
}

/// What the node's agent would refuse, told before an instance goes there.
fn has_leave(demand: &Demand, facts: Facts) -> Result<(), Unfit> {
    if demand.ask.memory_reach_mb.is_none() && !facts.fingerprint.memory_oversubscription {
        return Err(Unfit::Forbidden("memory without a limit"));
    }
    let word = facts.fingerprint.attributes.get("driver.docker.host_network");
    if demand.joins_host_network && word.is_some_and(|word| word == "0") {
        return Err(Unfit::Forbidden("docker network_mode = \"host\""));
    }
    Ok(())
}

fn has_drivers(demand: &Demand, facts: Facts) -> Result<(), Unfit> {
    let works = |name: &str| {
        facts.fingerprint.drivers.get(name).is_some_and(|driver| driver.detected && driver.healthy)
    };
    match demand.drivers.iter().find(|name| !works(name)) {
        None => Ok(()),
        Some(name) => Err(Unfit::Driver((*name).to_owned())),
    }
}

/// `host`, `bridge` and `none` need nothing but the agent; a plugin's network must have been found.
fn has_network(network: Option<&Network>, facts: Facts) -> Result<(), Unfit> {
    let Some(network) = network else { return Ok(()) };
    let missing = |name: &str, attribute: String| {
        let is_there = facts.fingerprint.attributes.contains_key(&attribute);
        if is_there { Ok(()) } else { Err(Unfit::Network(name.to_owned())) }
    };
    if let Some(name) = network.mode.strip_prefix("cni/") {
        missing(&network.mode, format!("plugins.cni.config.{name}"))?;
    }
    let named = network.ports.iter().map(|port| port.host_network.as_str());
    let mut others = named.filter(|name| !name.is_empty() && *name != "default");
    others.try_for_each(|name| missing(name, format!("network.host.{name}")))
}

fn has_volumes(demand: &Demand, facts: Facts) -> Result<(), Unfit> {
    let offers = |name: &str, access: Access| {
        let volume = facts.fingerprint.host_volumes.get(name);
        volume.is_some_and(|volume| access == Access::Read || !volume.read_only)
    };
    match demand.host_volumes.iter().find(|(name, access)| !offers(name, *access)) {
        None => Ok(()),
        Some((name, _)) => Err(Unfit::Volume((*name).to_owned())),
    }
}
