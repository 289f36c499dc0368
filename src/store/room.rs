//! How much room a store has left, as whoever looks after it last saw, and who may still take of it.
//!
//! A store that is full to the last byte can neither be told to stop a task nor hear that one has ended. So growth,
//! what users make new or larger, ends before the quota; the rest is a reserve for stop words, reports, health and
//! links. A store without a quota has room for everything.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

/// Which share of the quota is the reserve, and the most that it is.
const RESERVE: (u64, u64) = (8, 256 * 1024 * 1024);
/// A document is stored in pages, beside its index, until the history before it is forgotten.
const OVERHEAD: u64 = 2;
/// How long growth waits for the store to be looked at again before it is refused.
const SECOND_LOOK: Duration = Duration::from_secs(4);

/// What was seen of a store with a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The most bytes that its file may have.
    pub quota_bytes: u64,
    /// The bytes that its file has.
    pub file_bytes: u64,
    /// How many of these are in use; the rest is filled again before the file grows.
    pub used_bytes: u64,
    /// It has refused a write for want of room and takes nothing but deletes until somebody makes room.
    pub is_closed: bool,
}

impl Measure {
    /// What is kept for those who stop and report.
    pub fn reserve_bytes(&self) -> u64 {
        (self.quota_bytes / RESERVE.0).min(RESERVE.1)
    }

    /// How much may still be made new.
    pub fn growth_bytes(&self) -> u64 {
        if self.is_closed {
            return 0;
        }
        let unused = self.quota_bytes.saturating_sub(self.used_bytes + self.reserve_bytes());
        // A write that does not fit behind the end of the file closes it, whatever is free before.
        unused.min(self.quota_bytes.saturating_sub(self.file_bytes))
    }
}

/// Why nothing new is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoom(Measure);

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measure { quota_bytes, file_bytes: _, used_bytes, is_closed } = self.0;
        let (used, quota, reserve) = (Mib(used_bytes), Mib(quota_bytes), Mib(self.0.reserve_bytes()));
        if is_closed {
            return write!(
                f,
                "{used} of {quota} are used and etcd has raised its alarm: it takes deletes only"
            );
        }
        write!(f, "{used} of {quota} are used, and {reserve} are kept for stopping and reporting")
    }
}

struct Mib(u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0 * 10 / (1024 * 1024);
        write!(f, "{}.{} MiB", tenths / 10, tenths % 10)
    }
}

/// A handle on what is known of a store's room. Clones share it.
#[derive(Clone, Default)]
pub struct Room(Arc<Inner>);

#[derive(Default)]
struct Inner {
    seen: RwLock<Option<Measure>>,
    /// What was admitted since, which the measure does not show.
    admitted: AtomicU64,
    asked: Notify,
    looked: Notify,
}

impl Room {
    /// What was last seen; nothing of a store without a quota.
    pub fn measure(&self) -> Option<Measure> {
        *self.0.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is seen now.
    pub fn see(&self, measure: Measure) {
        *self.0.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(measure);
        self.0.admitted.store(0, Ordering::Relaxed);
        self.0.looked.notify_waiters();
    }

    /// Why growth is refused now, if it is.
    pub fn shortage(&self) -> Option<NoRoom> {
        self.measure().filter(|measure| measure.growth_bytes() == 0).map(NoRoom)
    }

    /// Asks for room to make something new or larger. Where there is none the store is looked at once more, since
    /// what fills it may be history.
    pub async fn admit(&self, bytes: u64) -> Result<(), NoRoom> {
        if self.take(bytes).is_ok() {
            return Ok(());
        }
        let looked = self.0.looked.notified();
        self.0.asked.notify_one();
        // A keeper that does not answer in time has seen the last that is known.
        tokio::time::timeout(SECOND_LOOK, looked).await.ok();
        self.take(bytes)
    }

    /// Waits until somebody needs room.
    pub async fn needed(&self) {
        self.0.asked.notified().await;
    }

    fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        let Some(measure) = self.measure() else { return Ok(()) };
        let bytes = bytes.saturating_mul(OVERHEAD);
        let before = self.0.admitted.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= measure.growth_bytes() {
            return Ok(());
        }
        self.0.admitted.fetch_sub(bytes, Ordering::Relaxed);
        Err(NoRoom(measure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn measure(file: u64, used: u64) -> Measure {
        Measure { quota_bytes: 16 * MIB, file_bytes: file * MIB, used_bytes: used * MIB, is_closed: false }
    }

    #[test]
    fn a_reserve_is_left_below_the_quota() {
        assert_eq!(measure(0, 0).growth_bytes(), 14 * MIB);
        assert_eq!(measure(12, 10).growth_bytes(), 4 * MIB);
        assert_eq!(measure(15, 1).growth_bytes(), MIB, "the end of the file is the end");
        assert_eq!(measure(14, 14).growth_bytes(), 0);
        assert_eq!(measure(17, 17).growth_bytes(), 0);
        assert_eq!(Measure { is_closed: true, ..measure(1, 1) }.growth_bytes(), 0);
        let default = Measure { quota_bytes: 2048 * MIB, ..measure(0, 0) };
        assert_eq!(default.reserve_bytes(), 256 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_admitted_counts_until_the_next_look() {
        let room = Room::default();
        assert_eq!(room.admit(1 << 40).await, Ok(()), "no quota, no end");
        room.see(measure(8, 8));
        for _ in 0..3 {
            assert_eq!(room.admit(MIB).await, Ok(()));
        }
        let refused = room.admit(MIB).await.unwrap_err();
        insta::assert_snapshot!(refused, @"8.0 MiB of 16.0 MiB are used, and 2.0 MiB are kept for stopping and reporting");
        assert_eq!(room.shortage(), None, "something smaller still fits");
        room.see(measure(14, 14));
        assert!(room.shortage().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn growth_waits_for_room_to_be_made() {
        let room = Room::default();
        room.see(measure(14, 14));
        let keeper = room.clone();
        let making = tokio::spawn(async move {
            keeper.needed().await;
            keeper.see(measure(14, 2));
        });
        assert_eq!(room.admit(MIB / 2).await, Ok(()));
        making.await.unwrap();
    }
}
