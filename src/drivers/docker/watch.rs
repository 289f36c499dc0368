//! Listening to the daemon: one stream of events for all containers of the node, and one of output for each.
//!
//! The daemon may go away at any time. Then nothing is concluded about any task; when it is back, listeners are told
//! to look again, and output is followed from where it broke off.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::EventMessage,
    query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder},
};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};

use super::{
    answer::{Known, Life, life},
    body::LABEL_NODE,
    output::{self, Copied, Cursor, Reading},
    shared::Shared,
};
use crate::contract::Event;

/// Between attempts to reach a daemon that is away.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);
/// How long the news of an end waits for the last lines of output.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(2);

/// Listens until the driver is dropped.
pub(super) async fn listen(shared: std::sync::Weak<Shared>) {
    let mut since = Timestamp::now();
    while let Some(driver) = shared.upgrade() {
        let stop = driver.stop.clone();
        drop(driver);
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = attend(&shared, &mut since) => {}
        }
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
        }
    }
}

/// One connection to the daemon, from looking around to breaking off.
async fn attend(shared: &std::sync::Weak<Shared>, since: &mut Timestamp) {
    let Some(driver) = shared.upgrade() else { return };
    let Ok(docker) = driver.docker().cloned() else { return };
    if docker.ping().await.is_err() {
        return;
    }
    let filters = HashMap::from([
        ("type", vec!["container".to_owned()]),
        ("event", ["start", "die"].map(str::to_owned).to_vec()),
        ("label", vec![format!("{LABEL_NODE}={}", driver.options.node)]),
    ]);
    let from = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
    let options = EventsOptionsBuilder::default().since(&from).filters(&filters).build();
    let mut events = Box::pin(docker.events(Some(options)));
    look_around(&driver).await;
    driver.events.tell(Event::Resync);
    drop(driver);
    while let Some(Ok(message)) = events.next().await {
        let Some(driver) = shared.upgrade() else { return };
        if let Some(nanos) = message.time_nano {
            *since = Timestamp::from_nanosecond(i128::from(nanos) + 1).unwrap_or(*since);
        }
        tokio::spawn(async move { react(&driver, &message).await });
    }
}

/// Follows the output of all containers that are not followed.
async fn look_around(driver: &std::sync::Arc<Shared>) {
    let filters = HashMap::from([("label", vec![format!("{LABEL_NODE}={}", driver.options.node)])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let Ok(docker) = driver.docker() else { return };
    let Ok(list) = docker.list_containers(Some(options)).await else { return };
    for found in list {
        let labels = found.labels.unwrap_or_default();
        if let Some(known) = found.id.and_then(|id| Known::of(&id, &labels, &driver.options.node)) {
            driver.follow(&known);
        }
    }
}

async fn react(driver: &std::sync::Arc<Shared>, message: &EventMessage) {
    let Some(container) = message.actor.as_ref().and_then(|actor| actor.id.as_deref()) else { return };
    let Ok(docker) = driver.docker() else { return };
    let Ok(found) = docker.inspect_container(container, None).await else { return };
    let Some(known) = Known::inspected(&found, &driver.options.node) else { return };
    match life(found.state.as_ref()) {
        Life::Created => {}
        Life::Running => {
            driver.follow(&known);
            driver.events.tell(Event::Started { id: known.id, incarnation: known.incarnation });
        }
        Life::Exited(exit) => {
            driver.follow(&known);
            driver.until_copied(container).await;
            driver.events.tell(Event::Exited { id: known.id, incarnation: known.incarnation, exit });
        }
    }
}

impl Shared {
    /// Copies a container's output, once at a time and until it is complete.
    pub(super) fn follow(self: &std::sync::Arc<Self>, known: &Known) {
        let Some(plan) = known.plan.clone() else { return };
        let Ok(docker) = self.docker().cloned() else { return };
        let cursor = Cursor::open(&self.options.state_root, known);
        let mut followed = self.followed();
        if cursor.is_complete() || followed.contains_key(&known.container) {
            return;
        }
        let (done, is_done) = watch::channel(());
        followed.insert(known.container.clone(), is_done);
        drop(followed);
        let stop = self.stop.clone();
        let (shared, known) = (std::sync::Arc::downgrade(self), known.clone());
        tokio::spawn(async move {
            let copied = tokio::select! { biased;
                () = stop.cancelled() => Copied::InPart,
                copied = output::copy(&docker, &plan, cursor, Reading::Follow) => copied,
            };
            let Some(shared) = shared.upgrade() else { return };
            if copied == Copied::ToTheEnd {
                shared.note_complete(&known).await;
            }
            shared.followed().remove(&known.container);
            drop(done);
        });
    }

    /// The stream also ends when the daemon is shut down in order: only a dead container's output is complete.
    async fn note_complete(&self, known: &Known) {
        let Ok(docker) = self.docker() else { return };
        let Ok(found) = docker.inspect_container(&known.container, None).await else { return };
        if !matches!(life(found.state.as_ref()), Life::Exited(_)) {
            return;
        }
        // While a flood makes the daemon rotate its files, a follower is sent to the end too early: the rest is fetched.
        let Some(plan) = &known.plan else { return };
        let cursor = Cursor::open(&self.options.state_root, known);
        if output::copy(docker, plan, cursor, Reading::Kept).await == Copied::InPart {
            return;
        }
        let mut cursor = Cursor::open(&self.options.state_root, known);
        if let Err(error) = cursor.complete() {
            tracing::debug!(%error, "the place in the output could not be kept");
        }
    }

    /// Waits, but not for ever, until the output of an ended container is on disk.
    async fn until_copied(&self, container: &str) {
        let following = self.followed().get(container).cloned();
        let Some(mut following) = following else { return };
        if timeout(OUTPUT_PATIENCE, following.changed()).await.is_err() {
            tracing::debug!(container, "the end is told before the last lines are written");
        }
    }
}
