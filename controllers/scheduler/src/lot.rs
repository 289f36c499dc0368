//! Which of the free ports an instance gets: at random, and yet the same whenever the same plan is made.
//!
//! Nobody here sees who listens on a node, so two clusters on one machine must not choose alike, nor two attempts of
//! one instance. The lot is therefore drawn from the name of the store's history and that of the allocation, which
//! tells the attempt.

use schemas::node::PortRange;

/// How many ports are drawn before the free ones are gone through in order: with half of all taken, one instance in a
/// million needs that.
const DRAWS: u32 = 20;

/// A stream of random numbers for one allocation.
#[derive(Clone, Debug)]
pub(crate) struct Lot(u64);

impl Lot {
    /// Of an allocation in a store that goes back to `origin`.
    pub(crate) fn of(origin: &str, allocation: &str) -> Lot {
        // FNV-1a: the same everywhere and for ever.
        let bytes = origin.bytes().chain([0]).chain(allocation.bytes());
        Lot(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): names that are nearly alike give numbers that are not.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A free port of the range, if there is one.
    pub(crate) fn draw(&mut self, range: PortRange, is_free: impl Fn(u16) -> bool) -> Option<u16> {
        let width = u64::from(range.last.saturating_sub(range.first)) + 1;
        let nth = |number: u64| range.first.saturating_add(u16::try_from(number % width).unwrap_or(0));
        let drawn = (0..DRAWS).map(|_| nth(self.next())).find(|port| is_free(*port));
        drawn.or_else(|| {
            let start = self.next() % width;
            (0..width).map(|number| nth(start + number)).find(|port| is_free(*port))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const RANGE: PortRange = PortRange { first: 20_000, last: 32_000 };

    fn draw(origin: &str, allocation: &str) -> u16 {
        Lot::of(origin, allocation).draw(RANGE, |_| true).unwrap()
    }

    #[test]
    fn two_clusters_and_two_attempts_draw_differently_and_a_plan_made_again_alike() {
        assert_eq!(draw("a", "web.api.0-v1.0"), draw("a", "web.api.0-v1.0"));
        assert_ne!(draw("a", "web.api.0-v1.0"), draw("b", "web.api.0-v1.0"));
        assert_ne!(draw("a", "web.api.0-v1.0"), draw("a", "web.api.0-v1.1"));
        assert_ne!(draw("a", "web.api.0-v1.0"), draw("a", "web.api.1-v1.0"));
    }

    #[test]
    fn ports_are_spread_over_the_whole_range() {
        let ports: Vec<u16> = (0..1000).map(|n| draw("a", &format!("web.api.{n}-v1.0"))).collect();
        let different: BTreeSet<&u16> = ports.iter().collect();
        // Of 1000 draws among 12,001, about 960 differ.
        assert!(different.len() > 900, "{}", different.len());
        for tenth in 0..10 {
            let first = 20_000 + tenth * 1_200;
            let within = ports.iter().filter(|port| (first..first + 1_200).contains(*port)).count();
            assert!((50..150).contains(&within), "{within} from {first} on");
        }
    }

    #[test]
    fn the_last_free_port_is_found() {
        let mut lot = Lot::of("a", "web.api.0-v1.0");
        assert_eq!(lot.draw(RANGE, |port| port == 31_999), Some(31_999));
        assert_eq!(lot.draw(RANGE, |_| false), None);
        assert_eq!(lot.draw(PortRange { first: 7, last: 7 }, |_| true), Some(7));
    }
}
