//! Events of a driver on their way to whoever listens.

use futures::{StreamExt as _, stream::BoxStream};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use super::contract::Event;

/// Events kept for a slow listener before it must resync.
const ROOM: usize = 1024;

/// Where a driver tells what happens.
#[derive(Debug)]
pub(super) struct Events(broadcast::Sender<Event>);

impl Events {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(ROOM).0)
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody listening is fine: events are hints.
        match self.0.send(event) {
            Ok(_) | Err(_) => {}
        }
    }

    /// What happens from now on.
    pub(super) fn listen(&self) -> BoxStream<'static, Event> {
        BroadcastStream::new(self.0.subscribe()).map(|event| event.unwrap_or(Event::Resync)).boxed()
    }
}
