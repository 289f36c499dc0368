//! What a connection was given and has not read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a large answer may wait at least.
const LEAST: Duration = Duration::from_secs(30);
/// The pace at which it must be read: a telephone reads faster.
const BYTES_PER_SECOND: usize = 64 * 1024;

/// How often it is looked whether they were read.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The large answers of one connection that wait to be read. HTTP/2 lets a reader stand still without the socket
/// showing it, so what counts is when the bytes are gone.
#[derive(Debug, Default)]
pub(super) struct Debts {
    open: Mutex<Open>,
    owed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    until: BTreeMap<u64, Instant>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Debt {
    debts: Arc<Debts>,
    number: u64,
}

impl Debts {
    /// So many bytes are given now.
    pub(super) fn owe(self: &Arc<Debts>, bytes: usize) -> Debt {
        let seconds = u64::try_from(bytes / BYTES_PER_SECOND).unwrap_or(u64::MAX);
        let until = Instant::now() + LEAST + Duration::from_secs(seconds);
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.until.insert(number, until);
        self.owed.notify_one();
        Debt { debts: self.clone(), number }
    }

    /// Whether something should have been read by now.
    fn is_overdue(&self) -> bool {
        let now = Instant::now();
        self.lock().until.values().any(|until| *until < now)
    }

    /// Returns once something should have been read that was not. Costs nothing while there is nothing to read.
    pub(super) async fn overdue(&self) {
        loop {
            if self.lock().until.is_empty() {
                self.owed.notified().await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            if self.is_overdue() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("nothing panics while it holds the lock")
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.debts.lock().until.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_read_in_time_is_no_debt() {
        let debts = Arc::new(Debts::default());
        let (small, large) = (debts.owe(1), debts.owe(60 * BYTES_PER_SECOND));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!debts.is_overdue());
        drop(small);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!debts.is_overdue(), "a larger answer has a longer time");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(debts.is_overdue());
        drop(large);
        assert!(!debts.is_overdue());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_read_is_told_of() {
        let debts = Arc::new(Debts::default());
        let began = Instant::now();
        let (_debt, ()) = tokio::join!(async { debts.owe(1) }, debts.overdue());
        assert!((30..40).contains(&began.elapsed().as_secs()));
    }
}
