//! What an agent is to the cluster: the holder of its name, or not.
//!
//! What crosses to and from the store is said in the node's name, so it needs a server's word that the name is this
//! agent's, not older than any grace: whoever was cut off or stood still may have been replaced. While no server
//! answers, tasks are looked after as ever. An agent that is refused leaves everything as it is.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::feed::News;

/// How long a server's word is good, counted from the beat that was answered: longer than between two beats, less than
/// the shortest silence (4 s) after which another agent may be let in.
const GOOD_FOR: Duration = Duration::from_millis(3_500);

/// What servers said of this agent's last beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing yet.
    Unknown,
    /// The name is this agent's.
    Held {
        /// Until when this can be relied on.
        until: Instant,
    },
    /// The name is another's.
    Refused,
    /// Nobody judges: an agent without a session.
    Unjudged,
}

impl Standing {
    /// A server said that the name is this agent's, in answer to a beat of that moment.
    pub(crate) fn held(beaten: Instant) -> Standing {
        Standing::Held { until: beaten + GOOD_FOR }
    }

    /// Whether the agent may speak in the node's name.
    pub(crate) fn may_speak(self) -> bool {
        match self {
            Standing::Held { until } => Instant::now() < until,
            Standing::Unjudged => true,
            Standing::Unknown | Standing::Refused => false,
        }
    }
}

/// Waits until the agent may speak.
pub(crate) async fn may_speak(standing: &mut watch::Receiver<Standing>) {
    loop {
        if standing.borrow_and_update().may_speak() {
            return;
        }
        if standing.changed().await.is_err() {
            // Whoever told is gone, and with it the agent.
            return std::future::pending().await;
        }
    }
}

/// News of the store, for as long as they are for this agent; those that come in between wait.
pub(crate) fn for_the_holder(
    feed: BoxStream<'static, News>,
    standing: watch::Receiver<Standing>,
) -> BoxStream<'static, News> {
    stream::unfold((feed, standing), |(mut feed, mut standing)| async move {
        // Before, since the first thing that a feed does is to register the node; and after, for it may take long.
        may_speak(&mut standing).await;
        let news = feed.next().await?;
        may_speak(&mut standing).await;
        Some((news, (feed, standing)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn news_wait_while_the_name_is_not_this_agents() {
        let (told, standing) = watch::channel(Standing::Unknown);
        let mut news = for_the_holder(stream::repeat(()).map(|()| News::Silence).boxed(), standing);
        assert!(news.next().now_or_never().is_none(), "nobody has said anything yet");
        told.send_replace(Standing::held(Instant::now()));
        assert!(news.next().now_or_never().is_some());
        tokio::time::advance(GOOD_FOR).await;
        assert!(news.next().now_or_never().is_none(), "it was said too long ago");
        told.send_replace(Standing::Refused);
        assert!(news.next().now_or_never().is_none());
        told.send_replace(Standing::held(Instant::now()));
        assert!(news.next().now_or_never().is_some());
    }
}
