//! Nodes as one plan sees them: what they have, what is taken, and what this plan has given away.

use std::collections::{BTreeMap, BTreeSet};

use fit::{Demand, Facts, Standing, Unfit};
use plan::View;
use plan::view::Usage;
use schemas::network::Port;
use schemas::node::{Amount, Fingerprint};
use schemas::placement::{Placement, PortClaim};

use crate::lot::Lot;
use crate::recovery;

/// One node.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) name: &'a str,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) standing: Standing,
    usable: Amount,
    used: Amount,
    usage: &'a Usage,
    /// What this plan has given away; a port perhaps to several that do not mind.
    ports: BTreeMap<u16, u32>,
    cores: BTreeSet<u16>,
    /// What others hold by the usage and are thought away here.
    released_ports: BTreeSet<u16>,
    released_cores: BTreeSet<u16>,
    /// Ports that instances could not have there, for somebody else on the machine has them.
    found_taken: BTreeSet<u16>,
    /// The history that the store goes back to.
    origin: &'a str,
}

/// What an instance gets of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) amount: Amount,
    pub(crate) cores: Vec<u16>,
    pub(crate) ports: Vec<PortClaim>,
}

/// All nodes, sorted by name.
#[derive(Debug)]
pub(crate) struct Sites<'a>(pub(crate) Vec<Site<'a>>);

impl<'a> Sites<'a> {
    /// As the view shows them, with room taken for placements that cannot be read.
    pub(crate) fn of(view: &'a View) -> Sites<'a> {
        let mut sites = Sites::as_read(view);
        drop(recovery::claims(view, &mut sites));
        sites
    }

    /// As the readable documents of the view show them.
    pub(crate) fn as_read(view: &'a View) -> Sites<'a> {
        Sites(view.fingerprints.iter().map(|(key, row)| Site::of(view, key.segment(1), &row.value)).collect())
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|site| site.name.cmp(name)).ok()
    }
}

impl<'a> Site<'a> {
    fn of(view: &'a View, name: &'a str, fingerprint: &'a Fingerprint) -> Site<'a> {
        let usage = view.indexes.usage(name);
        Site {
            name,
            fingerprint,
            standing: Standing::of(view, name, fingerprint),
            usable: fingerprint.usable(),
            used: usage.amount,
            usage,
            ports: BTreeMap::new(),
            cores: BTreeSet::new(),
            released_ports: BTreeSet::new(),
            released_cores: BTreeSet::new(),
            found_taken: BTreeSet::new(),
            origin: view.epoch.origin(),
        }
    }

    pub(crate) fn facts(&self) -> Facts<'a> {
        Facts { name: self.name, fingerprint: self.fingerprint }
    }

    /// Whether there is room now.
    pub(crate) fn fits(&self, demand: &Demand) -> Result<(), Unfit> {
        let free = self.usable.without(self.used);
        let ask = self.amount(demand);
        let short = ask.without(free);
        if short.cpu_mhz > 0 {
            return Err(Unfit::Cpu(short.cpu_mhz));
        }
        if short.memory_mb > 0 {
            return Err(Unfit::Memory(short.memory_mb));
        }
        if short.disk_mb > 0 {
            return Err(Unfit::Disk(short.disk_mb));
        }
        if demand.ask.cores > 0 {
            let free = u32::try_from(self.free_cores().count()).unwrap_or(u32::MAX);
            if free < demand.ask.cores {
                return Err(Unfit::Cores(demand.ask.cores - free));
            }
        }
        self.has_ports(&demand.ask.ports)
    }

    fn has_ports(&self, ports: &[Port]) -> Result<(), Unfit> {
        let mut asked = BTreeSet::new();
        for port in ports {
            let Some(number) = port.static_port else { continue };
            let is_first = asked.insert(number);
            let is_free = port.ignore_collision || (is_first && self.is_port_free(number));
            if !is_free {
                return Err(Unfit::Port(number));
            }
        }
        let dynamic = ports.iter().filter(|port| port.static_port.is_none()).count();
        let has_enough = dynamic == 0
            || self.dynamic_ports().filter(|port| !asked.contains(port)).take(dynamic).count() == dynamic;
        if has_enough { Ok(()) } else { Err(Unfit::DynamicPorts) }
    }

    fn is_port_free(&self, port: u16) -> bool {
        (!self.usage.ports.contains_key(&port) || self.released_ports.contains(&port))
            && !self.ports.contains_key(&port)
            && !self.fingerprint.reserved_ports.contains(&port)
    }

    /// An instance could not have a port there: others are not given it, unless none else is left.
    pub(crate) fn find_taken(&mut self, port: u16) {
        self.found_taken.insert(port);
    }

    fn dynamic_ports(&self) -> impl Iterator<Item = u16> {
        let range = self.fingerprint.dynamic_ports;
        (range.first..=range.last).filter(|port| self.is_port_free(*port))
    }

    fn number_of_cores(&self) -> u16 {
        let said = self.fingerprint.attributes.get("cpu.numcores");
        said.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn free_cores(&self) -> impl Iterator<Item = u16> {
        let is_used = |core: &u16| self.usage.cores.contains_key(core) && !self.released_cores.contains(core);
        (0..self.number_of_cores()).filter(move |core| !is_used(core) && !self.cores.contains(core))
    }

    /// What the demand takes here: whole cores take their share of the MHz too, and memory beyond what is promised
    /// counts unless the node says otherwise.
    fn amount(&self, demand: &Demand) -> Amount {
        let per_core =
            self.fingerprint.capacity.cpu_mhz.checked_div(u64::from(self.number_of_cores())).unwrap_or(0);
        let of_cores = Amount { cpu_mhz: per_core * u64::from(demand.ask.cores), ..Amount::default() };
        let promised = demand.amount().plus(of_cores);
        // Where memory is promised once, what a task may reach is what it takes.
        let reach_mb = demand.ask.memory_reach_mb.filter(|_| !self.fingerprint.memory_oversubscription);
        Amount { memory_mb: reach_mb.unwrap_or(promised.memory_mb), ..promised }
    }

    /// The free shares of CPU and memory once the demand is here, 0 to 1.
    pub(crate) fn free_after(&self, demand: &Demand) -> (f64, f64) {
        let used = self.used.plus(self.amount(demand));
        (free_share(used.cpu_mhz, self.usable.cpu_mhz), free_share(used.memory_mb, self.usable.memory_mb))
    }

    /// Takes the room. The caller has seen that it fits.
    pub(crate) fn take(&mut self, demand: &Demand, allocation: &str) -> Claim {
        let amount = self.amount(demand);
        let cores: Vec<u16> = self.free_cores().take(demand.ask.cores as usize).collect();
        let ports = self.choose_ports(&demand.ask.ports, allocation);
        let claim = Claim { amount, cores, ports };
        self.used = self.used.plus(amount);
        self.cores.extend(&claim.cores);
        for port in &claim.ports {
            *self.ports.entry(port.host_port).or_default() += 1;
        }
        claim
    }

    /// Takes the room of what runs here already, whether or not it fits; ports that are not there it goes without.
    pub(crate) fn take_anyway(&mut self, demand: &Demand, allocation: &str) -> Claim {
        let dynamic: Vec<Port> =
            demand.ask.ports.iter().filter(|port| port.static_port.is_none()).cloned().collect();
        if self.has_ports(&dynamic).is_ok() {
            return self.take(demand, allocation);
        }
        let claim = Claim { amount: self.amount(demand), cores: Vec::new(), ports: Vec::new() };
        self.used = self.used.plus(claim.amount);
        claim
    }

    /// Gives room back that this plan took.
    pub(crate) fn give_back(&mut self, claim: &Claim) {
        self.used = self.used.without(claim.amount);
        self.cores.retain(|core| !claim.cores.contains(core));
        for port in &claim.ports {
            *self.ports.entry(port.host_port).or_default() -= 1;
        }
        self.ports.retain(|_, holders| *holders > 0);
    }

    /// Thinks a placement away: only to ask what would fit then.
    pub(crate) fn release(&mut self, placement: &Placement) {
        self.used = self.used.without(placement.claim);
        // A port that two hold by agreement is not free when one leaves.
        let ports = placement.ports.iter().map(|port| port.host_port);
        self.released_ports.extend(ports.filter(|port| self.usage.ports.get(port) == Some(&1)));
        self.released_cores.extend(&placement.cores);
    }

    /// Thinks it back.
    pub(crate) fn take_back(&mut self, placement: &Placement) {
        self.used = self.used.plus(placement.claim);
        for port in &placement.ports {
            self.released_ports.remove(&port.host_port);
        }
        for core in &placement.cores {
            self.released_cores.remove(core);
        }
    }

    /// Fixed ports as asked, others by lot. A port that somebody else was found to have is taken last.
    fn choose_ports(&self, ports: &[Port], allocation: &str) -> Vec<PortClaim> {
        let mut taken: BTreeSet<u16> = ports.iter().filter_map(|port| port.static_port).collect();
        let range = self.fingerprint.dynamic_ports;
        let mut lot = Lot::of(self.origin, allocation);
        let mut chosen = Vec::with_capacity(ports.len());
        for port in ports {
            let host_port = port.static_port.unwrap_or_else(|| {
                let is_free = |port: u16| self.is_port_free(port) && !taken.contains(&port);
                let drawn = lot.draw(range, |port| is_free(port) && !self.found_taken.contains(&port));
                drawn.or_else(|| lot.draw(range, is_free)).expect("the caller has seen that it fits")
            });
            taken.insert(host_port);
            let to = match port.to {
                Some(-1) => Some(host_port),
                Some(number) => u16::try_from(number).ok(),
                None => None,
            };
            chosen.push(PortClaim { label: port.label.clone(), host_port, to });
        }
        chosen
    }
}

fn free_share(used: u64, usable: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than 52 bits")]
    let share = if usable == 0 { 1.0 } else { used as f64 / usable as f64 };
    1.0 - share
}
