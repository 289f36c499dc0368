//! Who listens on a port of this machine: asked before a task begins, since the scheduler sees only what it placed.
//!
//! The kernel's tables (`/proc/net/tcp` and its siblings, see proc_net(5)) are read; nothing is bound, so that nobody
//! else is disturbed. What cannot be read is not known, and then the task itself finds out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::{fs, io};

use schemas::network::Port;
use schemas::placement::PortClaim;

/// One port that must be free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortAsk {
    /// Its number.
    pub port: u16,
    /// Where it must be free.
    pub reach: Reach,
}

/// Where a port must be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere: another one would do as well.
    Everywhere,
    /// At this address: a fixed port may be somebody else's at another one, as a resolver's on loopback.
    At(IpAddr),
}

/// A port that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub port: u16,
    /// Who has it, for people: `PID 4711 (nginx)`.
    pub holder: String,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} is taken by {}", self.port, self.holder)
    }
}

/// The ports of an allocation that must be free before it begins. Those that others may share are not asked about.
pub(super) fn asks(claims: &[PortClaim], asked: &[Port], host_ip: IpAddr) -> Vec<PortAsk> {
    let of = |claim: &PortClaim| {
        let port = asked.iter().find(|port| port.label == claim.label);
        if port.is_some_and(|port| port.ignore_collision) {
            return None;
        }
        let is_fixed = port.is_some_and(|port| port.static_port.is_some());
        let reach = if is_fixed { Reach::At(host_ip) } else { Reach::Everywhere };
        Some(PortAsk { port: claim.host_port, reach })
    };
    claims.iter().filter_map(of).collect()
}

/// The first of these ports that somebody has on this machine. It reads files and may take a moment.
pub(super) fn taken(asks: &[PortAsk]) -> Option<Taken> {
    let sockets = TABLES.iter().flat_map(|(file, kind)| {
        let text = fs::read_to_string(Path::new("/proc/self/net").join(file)).unwrap_or_default();
        parse(&text, *kind)
    });
    let sockets: Vec<Socket> = sockets.collect();
    let (port, socket) = find(asks, &sockets)?;
    Some(Taken { port, holder: holder(socket) })
}

/// The tables of the kernel.
const TABLES: [(&str, Kind); 4] =
    [("tcp", Kind::Tcp), ("tcp6", Kind::Tcp), ("udp", Kind::Udp), ("udp6", Kind::Udp)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
}

/// One line of such a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Socket {
    kind: Kind,
    address: IpAddr,
    port: u16,
    is_listening: bool,
    uid: u32,
    inode: u64,
}

/// States of TCP that keep others from a port: established and listening. What is being closed does not.
const ESTABLISHED: &str = "01";
const LISTENING: &str = "0A";

fn parse(table: &str, kind: Kind) -> Vec<Socket> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let (local, state) = (words.nth(1)?, words.nth(1)?);
        let (uid, inode) = (words.nth(3)?.parse().ok()?, words.nth(1)?.parse().ok()?);
        let is_listening = state == LISTENING;
        if kind == Kind::Tcp && !is_listening && state != ESTABLISHED {
            return None;
        }
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(Socket { kind, address: address_of(address)?, port, is_listening, uid, inode })
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

/// An address as the kernel prints it: words of 32 bits, each in the machine's own order of bytes.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (number, part) in bytes.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(number * 8)?);
            }
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// The first port that is not free, and the socket that has it.
fn find<'a>(asks: &[PortAsk], sockets: &'a [Socket]) -> Option<(u16, &'a Socket)> {
    asks.iter().find_map(|ask| {
        let is_in_the_way = |socket: &&Socket| {
            socket.port == ask.port
                && match ask.reach {
                    Reach::Everywhere => true,
                    // Of a fixed port it is not known whether the task speaks UDP there.
                    Reach::At(address) => {
                        let meets = socket.address.is_unspecified() || socket.address == address;
                        socket.kind == Kind::Tcp && socket.is_listening && meets
                    }
                }
        };
        sockets.iter().find(is_in_the_way).map(|socket| (ask.port, socket))
    })
}

/// Who holds a socket, as far as this process may see.
fn holder(socket: &Socket) -> String {
    match process_with(socket.inode) {
        Some((pid, name)) => format!("PID {pid} ({name})"),
        None => format!("a process of user {} that cannot be seen from here", socket.uid),
    }
}

fn process_with(inode: u64) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| holds(*pid, &wanted).unwrap_or(false))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim_end().to_owned()))
}

fn holds(pid: u32, socket: &str) -> io::Result<bool> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn sockets(kind: Kind, lines: &[&str]) -> Vec<Socket> {
        parse(&format!("{HEAD}{}\n", lines.join("\n")), kind)
    }

    fn line(local: &str, state: &str) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x"
        )
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_kernels_tables_are_read() {
        let shown = |local: &str, state: &str, kind| {
            let found = sockets(kind, &[&line(local, state)]);
            found.first().map(|socket| format!("{} {} {}", socket.address, socket.port, socket.inode))
        };
        let rows = [
            ("00000000:1F90", "0A", Kind::Tcp, Some("0.0.0.0 8080 4242")),
            ("0100007F:4E20", "0A", Kind::Tcp, Some("127.0.0.1 20000 4242")),
            ("0100007F:4E20", "01", Kind::Tcp, Some("127.0.0.1 20000 4242")),
            ("0100007F:4E20", "06", Kind::Tcp, None),
            ("3500007F:0035", "07", Kind::Udp, Some("127.0.0.53 53 4242")),
            ("00000000000000000000000000000000:0050", "0A", Kind::Tcp, Some(":: 80 4242")),
            ("0000000000000000FFFF00000100007F:0050", "0A", Kind::Tcp, Some("127.0.0.1 80 4242")),
            ("00000000000000000000000001000000:0050", "0A", Kind::Tcp, Some("::1 80 4242")),
            ("0000:0050", "0A", Kind::Tcp, None),
            ("nonsense", "0A", Kind::Tcp, None),
        ];
        for (local, state, kind, expected) in rows {
            assert_eq!(shown(local, state, kind).as_deref(), expected, "{local} {state}");
        }
        assert_eq!(parse("", Kind::Tcp), []);
        assert_eq!(sockets(Kind::Tcp, &["   0: 00000000:1F90 short"]), []);
    }

    #[test]
    fn a_fixed_port_is_taken_at_its_address_and_a_chosen_one_anywhere() {
        let host: IpAddr = [10, 0, 0, 1].into();
        let socket = |address: [u8; 4], kind, is_listening| Socket {
            kind,
            address: address.into(),
            port: 53,
            is_listening,
            uid: 0,
            inode: 1,
        };
        let (any, loopback) = ([0, 0, 0, 0], [127, 0, 0, 53]);
        let rows = [
            (socket(any, Kind::Tcp, true), true, true),
            (socket([10, 0, 0, 1], Kind::Tcp, true), true, true),
            (socket(loopback, Kind::Tcp, true), true, false),
            (socket(any, Kind::Tcp, false), true, false),
            (socket(any, Kind::Udp, false), true, false),
        ];
        for (socket, chosen, fixed) in rows {
            let is_taken = |reach| {
                let asks = [PortAsk { port: 53, reach }];
                find(&asks, std::slice::from_ref(&socket)).is_some()
            };
            assert_eq!(is_taken(Reach::Everywhere), chosen, "{socket:?}");
            assert_eq!(is_taken(Reach::At(host)), fixed, "{socket:?}");
        }
    }

    #[test]
    fn ports_that_may_be_shared_are_not_asked_about() {
        let port = |label: &str, static_port, ignore_collision| Port {
            label: label.into(),
            static_port,
            ignore_collision,
            ..Port::default()
        };
        let asked = [port("a", None, false), port("b", Some(80), false), port("c", Some(81), true)];
        let claim = |label: &str, host_port| PortClaim { label: label.into(), host_port, to: None };
        let host: IpAddr = [10, 0, 0, 1].into();
        let found = asks(&[claim("a", 20_000), claim("b", 80), claim("c", 81)], &asked, host);
        let expected = [(20_000, Reach::Everywhere), (80, Reach::At(host))];
        assert_eq!(found, expected.map(|(port, reach)| PortAsk { port, reach }));
    }

    #[test]
    fn who_listens_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = taken(&[PortAsk { port, reach: Reach::Everywhere }]).unwrap();
        let own = format!("port {port} is taken by PID {} (", std::process::id());
        assert!(found.to_string().starts_with(&own), "{found}");
        let elsewhere = Reach::At([127, 0, 0, 9].into());
        assert_eq!(taken(&[PortAsk { port, reach: elsewhere }]), None);
    }
}
