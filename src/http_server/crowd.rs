//! Who is here: connections counted, all and by address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use super::limits::Limits;

/// The open connections.
pub(super) struct Crowd {
    limits: Limits,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    taken: usize,
    by_origin: BTreeMap<IpAddr, usize>,
}

/// A connection's place, free again when this is dropped.
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    origin: IpAddr,
}

impl Crowd {
    pub(super) fn new(limits: Limits) -> Arc<Crowd> {
        Arc::new(Crowd { limits, seats: Mutex::default() })
    }

    /// A place for a connection from there, if there is one.
    pub(super) fn admit(self: &Arc<Crowd>, from: IpAddr) -> Option<Seat> {
        let origin = origin(from);
        let factor = if origin.is_loopback() { Limits::LOOPBACK } else { 1 };
        let mut seats = self.lock();
        let own = seats.by_origin.get(&origin).copied().unwrap_or_default();
        let is_full =
            seats.taken >= self.limits.connections || own >= self.limits.per_address.saturating_mul(factor);
        if is_full {
            return None;
        }
        seats.taken += 1;
        seats.by_origin.insert(origin, own + 1);
        Some(Seat { crowd: self.clone(), origin })
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().expect("nothing panics while it holds the lock")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.crowd.lock();
        seats.taken -= 1;
        if let Some(own) = seats.by_origin.get_mut(&self.origin) {
            *own -= 1;
            if *own == 0 {
                seats.by_origin.remove(&self.origin);
            }
        }
    }
}

/// Whoever has one IPv6 address has all of its network of 64 bits.
pub(super) fn origin(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)))
        }
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_no_more_than_its_share_and_all_no_more_than_there_is() {
        let crowd = Crowd::new(Limits { connections: 5, per_address: 2, always: &[] });
        let admit = |from: &str| crowd.admit(from.parse().unwrap());
        let first = (admit("10.0.0.1"), admit("10.0.0.1"));
        assert!(first.0.is_some() && first.1.is_some() && admit("10.0.0.1").is_none());
        assert!(admit("::ffff:10.0.0.1").is_none(), "another spelling");
        let net = (admit("2001:db8::1"), admit("2001:db8::2"));
        assert!(net.0.is_some() && net.1.is_some() && admit("2001:db8::3").is_none(), "one network");
        let last = admit("10.0.0.2");
        assert!(last.is_some() && admit("10.0.0.3").is_none(), "all are taken");
        drop(first);
        assert!(admit("10.0.0.1").is_some());
        drop((net, last));
        let seats = crowd.lock();
        assert!(seats.taken == 0 && seats.by_origin.is_empty(), "nothing is kept");
    }

    #[test]
    fn the_machine_itself_has_a_larger_share() {
        let crowd = Crowd::new(Limits { connections: 100, per_address: 2, always: &[] });
        let seats: Vec<Seat> = (0..20).filter_map(|_| crowd.admit("127.0.0.1".parse().unwrap())).collect();
        assert_eq!(seats.len(), 2 * Limits::LOOPBACK);
    }
}
