//! Functions over address ranges in CIDR notation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::collections::{many, plain};
use super::function::{Arguments, Function, Kind, Outcome, fault};
use crate::text::hcl::number::Numeric;
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("cidrhost", &[Kind::Text, Kind::Number], host),
    plain("cidrnetmask", &[Kind::Text], netmask),
    plain("cidrsubnet", &[Kind::Text, Kind::Number, Kind::Number], subnet),
    many("cidrsubnets", &[Kind::Text], Kind::Number, subnets),
];

/// A network: its address as a number of `width` bits, of which the first `prefix` are fixed.
#[derive(Clone, Copy)]
struct Network {
    base: u128,
    prefix: u32,
    width: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok()?;
        let (number, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        (prefix <= width).then(|| Network { base: number & !low_bits(width - prefix), prefix, width })
    }

    /// The part number `number` when the network is cut into parts with `prefix` fixed bits.
    fn part(self, prefix: u32, number: u128) -> Network {
        let shift = self.width - prefix;
        let offset = if shift >= 128 { 0 } else { number << shift };
        Network { base: self.base | offset, prefix, width: self.width }
    }

    fn address(self, number: u128) -> String {
        if self.width == 32 {
            Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).to_string()
        } else {
            Ipv6Addr::from(number).to_string()
        }
    }

    fn show(self) -> String {
        format!("{}/{}", self.address(self.base), self.prefix)
    }
}

fn low_bits(count: u32) -> u128 {
    1_u128.checked_shl(count).map_or(u128::MAX, |bit| bit - 1)
}

fn network(a: &Arguments) -> Result<Network, super::function::Fault> {
    let text = a.text(0);
    match Network::parse(text) {
        Some(network) => Ok(network),
        None => fault(0, format!("`{text}` is not a network such as 10.0.0.0/16")),
    }
}

fn host(a: &Arguments) -> Outcome {
    let network = network(a)?;
    let Numeric::Whole(number) = a.number(1) else { return fault(1, "a whole number is needed") };
    let size = low_bits(network.width - network.prefix);
    let number = if number < 0 {
        i128::try_from(size).unwrap_or(i128::MAX).saturating_add(1) + number
    } else {
        number
    };
    match u128::try_from(number).ok().filter(|number| *number <= size) {
        Some(number) => Ok(Value::Text(network.address(network.base | number))),
        None => fault(1, format!("the prefix {} has no host number {}", network.prefix, a.number(1))),
    }
}

fn netmask(a: &Arguments) -> Outcome {
    let network = network(a)?;
    if network.width != 32 {
        return fault(0, "only IPv4 networks have a netmask");
    }
    let mask = !low_bits(network.width - network.prefix) & low_bits(network.width);
    Ok(Value::Text(network.address(mask)))
}

fn longer(network: Network, bits: i64, at: usize) -> Result<u32, super::function::Fault> {
    let prefix = u32::try_from(bits).ok().and_then(|bits| network.prefix.checked_add(bits));
    match prefix.filter(|prefix| *prefix <= network.width) {
        Some(prefix) => Ok(prefix),
        None => fault(at, format!("a prefix of {} cannot be made {bits} bits longer", network.prefix)),
    }
}

fn subnet(a: &Arguments) -> Outcome {
    let network = network(a)?;
    let prefix = longer(network, a.whole(1)?, 1)?;
    let most = low_bits(prefix - network.prefix);
    match u128::try_from(a.whole(2)?).ok().filter(|number| *number <= most) {
        Some(number) => Ok(Value::Text(network.part(prefix, number).show())),
        None => fault(2, format!("the subnets are numbered from 0 to {most}")),
    }
}

fn subnets(a: &Arguments) -> Outcome {
    let network = network(a)?;
    let end = network.base | low_bits(network.width - network.prefix);
    let mut next = Some(network.base);
    let mut list = Vec::new();
    for at in 1..a.0.len() {
        let prefix = longer(network, a.whole(at)?, at)?;
        let last_bits = low_bits(network.width - prefix);
        let aligned = next.and_then(|next| next.checked_add(last_bits)).map(|next| next & !last_bits);
        let Some(base) = aligned.filter(|base| base | last_bits <= end) else {
            return fault(at, "the network has no room left for this subnet");
        };
        list.push(Value::Text(Network { base, prefix, width: network.width }.show()));
        next = (base | last_bits).checked_add(1);
    }
    Ok(Value::List(list))
}
