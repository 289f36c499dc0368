//! The time of day, as a value that tests can own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time of day: the machine's, or a simulated one that follows tokio's (possibly paused) clock
/// and can jump.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Simulated { start: Timestamp, since: Instant, offset_ms: Arc<AtomicI64>, asleep_ms: Arc<AtomicU64> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock(Source::System)
    }
    /// A clock that shows `start` now and goes on with tokio's time.
    pub fn simulated(start: Timestamp) -> Clock {
        let (offset_ms, asleep_ms) = Default::default();
        Clock(Source::Simulated { start, since: Instant::now(), offset_ms, asleep_ms })
    }
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Simulated { start, since, offset_ms, asleep_ms: _ } => {
                let passed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
                let offset = SignedDuration::from_millis(offset_ms.load(Ordering::Relaxed));
                start.saturating_add(passed.saturating_add(offset)).unwrap_or(*start)
            }
        }
    }
    /// How long the machine has been up, its sleep included: only ever more, whatever the time of day does. Two looks
    /// at it tell a pause.
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            Source::System => {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default());
                seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
            }
            Source::Simulated { since, asleep_ms, .. } => {
                since.elapsed() + Duration::from_millis(asleep_ms.load(Ordering::Relaxed))
            }
        }
    }
    /// How long until `at`; nothing if that is past.
    pub fn until(&self, at: Timestamp) -> Duration {
        at.duration_since(self.now()).try_into().unwrap_or_default()
    }
    /// Makes a simulated clock jump; the machine's clock does not.
    pub fn jump(&self, by: SignedDuration) {
        if let Source::Simulated { offset_ms, .. } = &self.0 {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or_default();
            offset_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
    /// The machine of a simulated clock sleeps: time goes on, timers do not.
    pub fn sleep(&self, time: Duration) {
        if let Source::Simulated { asleep_ms, .. } = &self.0 {
            asleep_ms.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A namespace of time in which the machine has slept for a day shows what no test can wait for.
    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    fn uptime_goes_on_while_the_machine_sleeps() {
        const DAY: u64 = 24 * 60 * 60;
        const BEFORE: &str = "UPTIME_BEFORE_THE_SLEEP";
        let uptime = Clock::system().uptime();
        if let Ok(before) = std::env::var(BEFORE) {
            let before: u64 = before.parse().expect("a number");
            assert!(uptime.as_secs() >= before + DAY, "{uptime:?} after {before} s and a day of sleep");
            return;
        }
        let (day, tests) = (DAY.to_string(), std::env::current_exe().unwrap());
        let asleep = |program: &std::path::Path| {
            let mut asleep = std::process::Command::new("unshare");
            asleep.args(["--time", "--boottime", &day]).arg(program);
            asleep
        };
        if !asleep("true".as_ref()).output().is_ok_and(|tried| tried.status.success()) {
            eprintln!("skipped: no namespaces of time can be made here");
            return;
        }
        let mut told = asleep(&tests);
        told.args(["--exact", "clock::tests::uptime_goes_on_while_the_machine_sleeps"]);
        let told = told.env(BEFORE, uptime.as_secs().to_string()).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    }

    #[test]
    fn uptime_goes_on() {
        let clock = Clock::system();
        let before = clock.uptime();
        std::thread::sleep(Duration::from_millis(5));
        let passed = clock.uptime().saturating_sub(before);
        assert!(passed >= Duration::from_millis(5), "{passed:?}");
    }
}
