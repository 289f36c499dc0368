//! Which documents changed, revision by revision: what watches of users are fed from.
//!
//! One task per process turns the pulses of the cache into moments: the names of the joined documents that
//! may look different now. The documents themselves are joined by each watch from the view, so a moment is
//! small and the last few thousand are remembered for watches that resume.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use schemas::key::Revision;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::events::Events;
use super::kind::Kind;
use super::refusal::Refusal;
use super::scene::{Name, Scene};
use super::touch::Memory;
use cache::{Cache, Changes, Pulse};
use clock::Clock;

/// How many moments are remembered: minutes of a busy cluster, hours of a quiet one.
const REMEMBERED: usize = 8192;

/// Moments as they come.
pub(super) type News = broadcast::Receiver<Arc<Moment>>;

/// What happened to one document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Touched {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// What happened.
    pub how: How,
}

/// What happened to a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    /// It is new.
    Added,
    /// It may look different.
    Modified,
    /// It is gone; this is what is left to say of it.
    Gone(Value),
}

/// All that one revision did to documents.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// The revision.
    pub revision: Revision,
    /// What it touched, each document once.
    pub touched: Vec<Touched>,
    /// Whether something before it was not seen: watches start over.
    pub is_gap: bool,
}

/// The moments of this process, and what else it remembers.
pub(super) struct Feed {
    past: Mutex<Past>,
    news: broadcast::Sender<Arc<Moment>>,
    events: RwLock<Events>,
}

struct Past {
    moments: VecDeque<Arc<Moment>>,
    /// Every moment after this revision is remembered.
    floor: Revision,
    /// Every moment up to this revision was published.
    told: Revision,
}

impl Default for Feed {
    fn default() -> Feed {
        let (news, _) = broadcast::channel(REMEMBERED);
        // Nothing is remembered before the first look.
        let floor = Revision(u64::MAX);
        let past = Past { moments: VecDeque::new(), floor, told: Revision::default() };
        Feed { past: Mutex::new(past), news, events: RwLock::default() }
    }
}

impl Feed {
    /// The recent events, borrowed. Take the view first, never the other way round.
    pub(super) fn events(&self) -> RwLockReadGuard<'_, Events> {
        self.events.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moments after a revision, and all that follow; refused if they are no longer remembered.
    pub(super) fn after(&self, revision: Revision) -> Result<(Vec<Arc<Moment>>, News), Refusal> {
        let past = self.past();
        if revision < past.floor {
            return Err(Refusal::expired());
        }
        let first = past.moments.partition_point(|moment| moment.revision <= revision);
        Ok((past.moments.range(first..).cloned().collect(), self.news.subscribe()))
    }

    /// Up to which revision every moment was published.
    pub(super) fn told(&self) -> Revision {
        self.past().told
    }

    /// Whether moments after a revision are remembered.
    pub(super) fn remembers(&self, revision: Revision) -> bool {
        revision >= self.past().floor
    }

    fn publish(&self, moment: Moment) {
        let mut past = self.past();
        past.told = moment.revision;
        if moment.touched.is_empty() {
            return;
        }
        let moment = Arc::new(moment);
        past.moments.push_back(moment.clone());
        if past.moments.len() > REMEMBERED
            && let Some(forgotten) = past.moments.pop_front()
        {
            past.floor = forgotten.revision;
        }
        // Under the lock, so that nobody who reads the past misses the news. Nobody listening is fine.
        drop(self.news.send(moment));
    }

    /// Forgets everything up to a revision: what happened before it was not seen.
    fn forget(&self, revision: Revision) {
        let mut past = self.past();
        past.moments.clear();
        past.floor = revision;
        past.told = revision;
        drop(self.news.send(Arc::new(Moment { revision, touched: Vec::new(), is_gap: true })));
    }

    /// Follows the cache until told to stop. `changes` is subscribed before the cache was first read.
    pub(super) async fn run(
        &self,
        cache: Cache,
        mut changes: Changes,
        clock: Clock,
        stop: CancellationToken,
    ) {
        let mut memory = Memory::default();
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = cache.reached(Revision(1)) => {}
        }
        let start = cache.revision();
        self.forget(start);
        loop {
            let pulse = tokio::select! { biased;
                () = stop.cancelled() => return,
                pulse = changes.recv() => pulse,
            };
            match pulse {
                // The first listing is no news.
                Ok(pulse) if pulse.revision <= start => memory.learn(&pulse),
                Ok(pulse) => self.take(&cache, &mut memory, &pulse, &clock),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the feed of watches fell behind; watches start over");
                    memory = Memory::default();
                    self.forget(cache.revision());
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn take(&self, cache: &Cache, memory: &mut Memory, pulse: &Pulse, clock: &Clock) {
        let now = clock.now();
        let view = cache.view();
        let happened = memory.happened(&view, pulse, now);
        let mut events = self.events.write().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::with_capacity(happened.len());
        for event in happened {
            names.push(event.name());
            events.push(event.name(), event);
        }
        let scene = Scene { view: &view, events: &events, explains: false, now };
        let mut touched = memory.touched(&scene, pulse);
        for kind in [Kind::Event, Kind::CoreEvent] {
            let new = |name: &Name| Touched { kind, name: name.clone(), how: How::Added };
            touched.extend(names.iter().map(new));
        }
        memory.learn(pulse);
        drop(events);
        drop(view);
        self.publish(Moment { revision: pulse.revision, touched, is_gap: false });
    }
}
