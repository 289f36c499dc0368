//! Where the API thinks: what costs time (reading, admitting, comparing, foreseeing, listing) is done by as many
//! requests at once as there are cores, off the threads on which everybody else is answered.
//!
//! Such work cannot be stopped half-way, so each piece of it is bounded by [`schemas::limits`]; and no queue of it grows,
//! for whoever finds no place within two seconds is told to come again. The work is done where the request stands,
//! after the thread has handed its other tasks on; on a runtime of one thread, as in the simulation, just so.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use super::refusal::Refusal;

/// The most requests that think at once: each may hold some 100 MB on its way.
const MOST_PLACES: usize = 8;
/// How many requests wait for a place: each holds its body.
const WAITING: usize = 64;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// The places for requests that think.
pub(super) struct Work {
    places: Semaphore,
    /// For those who have a place and those who wait for one.
    room: Semaphore,
}

impl Default for Work {
    fn default() -> Work {
        let cores = available_parallelism().map_or(2, NonZero::get);
        Work::new(cores.clamp(2, MOST_PLACES), WAITING)
    }
}

impl Work {
    fn new(places: usize, waiting: usize) -> Work {
        Work { places: Semaphore::new(places), room: Semaphore::new(places + waiting) }
    }

    /// Does a piece of work, unless there is no place for it in time.
    pub(super) async fn run<T>(&self, think: impl FnOnce() -> T) -> Result<T, Refusal> {
        let _room = self.room.try_acquire().map_err(|_| Refusal::busy())?;
        let place = tokio::time::timeout(PATIENCE, self.places.acquire()).await;
        let _place = place.map_err(|_| Refusal::busy())?.expect("the semaphore is never closed");
        if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            Ok(block_in_place(think))
        } else {
            Ok(think())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_in_time_is_told_to_come_again() {
        let work = Work::new(1, 1);
        assert_eq!(work.run(|| 7).await.unwrap(), 7);
        let busy = work.places.acquire().await.unwrap();
        let (waits, is_refused) = tokio::join!(work.run(|| 7), async {
            let _others = work.room.acquire().await.unwrap();
            work.run(|| 7).await
        });
        let said = "the server is busy with other requests; try again in a second";
        assert_eq!(is_refused.unwrap_err().message(), said, "no room to wait");
        assert_eq!(waits.unwrap_err().message(), said, "two seconds are over");
        drop(busy);
        assert_eq!(work.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_are_answered_meanwhile() {
        let work = Work::default();
        let (told, hears) = std::sync::mpsc::channel();
        // The only worker thread would wait for ever for what only a task of its own can say.
        let other = tokio::spawn(async move { told.send(()).unwrap() });
        let thinks = tokio::spawn(async move { work.run(move || hears.recv().unwrap()).await.unwrap() });
        thinks.await.unwrap();
        other.await.unwrap();
    }
}
