//! Where an agent answers, as servers dial it: a host and a port and nothing else.
//!
//! The text comes from the agent, so whoever may speak as a node chooses whom servers call. It is therefore read
//! strictly (no scheme, user, path or socket), and addresses that lead to the metadata of a cloud or to everybody
//! at once are refused, in each of their spellings. A name is looked up by whoever dials, who asks again with
//! [`may_be_dialled`] for what was found.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name of DNS.
const LONGEST_NAME: usize = 253;
/// The longest part of one.
const LONGEST_LABEL: usize = 63;

/// `host:port`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAddress {
    host: Host,
    port: u16,
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// This address.
    Ip(IpAddr),
    /// Whatever DNS says of this name.
    Name(String),
}

/// Why a text is no address of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAgentAddress {
    /// It is something else.
    #[error("it is not HOST:PORT (an IP address or a name, and a port; IPv6 in brackets)")]
    Shape,
    /// Nobody listens on port 0.
    #[error("its port is 0")]
    Port,
    /// It leads elsewhere than to one machine of the cluster.
    #[error("{0} is link-local, multicast or unspecified, where no agent is dialled")]
    Forbidden(IpAddr),
}

impl AgentAddress {
    /// Whom to dial.
    pub fn host(&self) -> &Host {
        &self.host
    }
    /// On which port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for AgentAddress {
    type Err = NoAgentAddress;
    fn from_str(text: &str) -> Result<AgentAddress, NoAgentAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NoAgentAddress::Shape)?;
        let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|letter| letter.is_ascii_digit());
        let port: u16 = port.parse().ok().filter(|_| is_number).ok_or(NoAgentAddress::Shape)?;
        if port == 0 {
            return Err(NoAgentAddress::Port);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(v6) => Host::Ip(IpAddr::V6(v6.parse().map_err(|_| NoAgentAddress::Shape)?)),
            None => match host.parse::<Ipv4Addr>() {
                Ok(v4) => Host::Ip(IpAddr::V4(v4)),
                Err(_) if is_name(host) => Host::Name(host.to_owned()),
                Err(_) => return Err(NoAgentAddress::Shape),
            },
        };
        match host {
            Host::Ip(ip) if !may_be_dialled(ip) => Err(NoAgentAddress::Forbidden(ip)),
            Host::Ip(_) | Host::Name(_) => Ok(AgentAddress { host, port }),
        }
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// A name of DNS. One whose last part is a number is another spelling of an IP address (`0x7f.1`, `2130706433`).
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|letter| letter.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|letter| letter.is_ascii_hexdigit()));
    (1..=LONGEST_NAME).contains(&host.len()) && name.split('.').all(is_label) && !is_number
}

/// Whether one machine of a cluster can have this address. Loopback is one: server and agent may share a machine.
pub fn may_be_dialled(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0)
        }
        IpAddr::V6(ip) => {
            let within = embedded(ip).is_none_or(|ip| may_be_dialled(IpAddr::V4(ip)));
            // The metadata of Amazon's machines is a unique local address: fd00:ec2::254.
            let is_metadata = ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            within
                && !is_metadata
                && !(ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified())
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, or through NAT64 or 6to4.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = ip.octets();
    let last = || Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    let is_nat64 = octets[..12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    match ip.segments() {
        _ if ip.is_loopback() => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => Some(last()),
        [0x2002, ..] => Some(Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5])),
        _ => is_nat64.then(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_read_and_written_alike() {
        for text in
            ["127.0.0.1:4646", "10.0.0.7:1", "[::1]:80", "[fd00::7]:65535", "n1.example.org:9", "n_1:9"]
        {
            let address: AgentAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let shapes = [
            "",
            "n1",
            ":80",
            "n1:",
            "n1:0",
            "n1:65536",
            "n1:+1",
            "http://n1:80",
            "n1:80/x",
            "u:p@n1:80",
            "u@n1:80",
            "n1:80#x",
            "n1:80?x",
            "unix:/run/x",
            "/run/x:80",
            "::1:80",
            "[::1%eth0]:80",
            "[::1]",
            "n 1:80",
            "-n:80",
            "n..m:80",
            "2130706433:80",
            "0x7f000001:80",
            "127.1:80",
            "0x7f.0.0.0x1:80",
            "127.0.0.1.:80",
        ];
        for text in shapes {
            assert!(text.parse::<AgentAddress>().is_err(), "{text}");
        }
        let elsewhere = [
            "169.254.169.254:80",
            "[fe80::1]:80",
            "0.0.0.0:80",
            "[::]:80",
            "255.255.255.255:80",
            "224.0.0.1:80",
            "[ff02::1]:80",
            "[::ffff:169.254.169.254]:80",
            "[::169.254.169.254]:80",
            "[64:ff9b::169.254.169.254]:80",
            "[2002:a9fe:a9fe::1]:80",
            "[fd00:ec2::254]:80",
        ];
        for text in elsewhere {
            assert!(matches!(text.parse::<AgentAddress>(), Err(NoAgentAddress::Forbidden(_))), "{text}");
        }
    }
}
