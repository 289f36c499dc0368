//! Tells the cluster what the node is: at the start, and whenever it changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use plan::{Guard, Write};
use schemas::codec;
use schemas::key::{Key, Prefix, Revision};
use schemas::node::{DriverHealth, Fingerprint};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::AgentConfig;
use super::identity::Identity;
use super::machine::{Machine, MachineFacts};
use super::standing::Standing;
use drivers::Driver;
use store::{CommitError, Store, Txn};

/// How often the machine and its runtimes are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long to wait after a registration that was not written.
const AGAIN: Duration = Duration::from_secs(1);

/// What a registration is made of. Of the machine only the room on its disk is looked at again and again: others than
/// tasks fill it, too, and what is not there must not be promised.
pub(crate) struct Registration {
    pub(crate) config: AgentConfig,
    pub(crate) machine: Arc<dyn Machine>,
    /// As the node was last told of.
    pub(crate) facts: MachineFacts,
    /// How many MB of the disk allocations hold of what they were promised: not free, and yet theirs to use.
    pub(crate) held: watch::Receiver<u64>,
    pub(crate) host_ip: IpAddr,
    pub(crate) drivers: BTreeMap<String, Arc<dyn Driver>>,
    /// The epoch of the store that the node follows.
    pub(crate) follows: watch::Receiver<String>,
    pub(crate) identity: Identity,
}

/// A registration that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub(crate) at: Revision,
    pub(crate) over: Over,
}

/// What was registered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// This machine, nothing, or an agent that had no id yet.
    Own,
    /// Another machine of the same name.
    Another,
}

/// Writes what a node is over what was written before, unless somebody else writes it too. Only the holder of the
/// node's name may.
pub(crate) async fn register<S: Store>(
    store: &S,
    node: &str,
    fingerprint: &Fingerprint,
) -> Result<Registered, CommitError> {
    let key = Key::fingerprint(node);
    let listing = store.list(&Prefix::one(&key)).await.map_err(|_| CommitError::NotApplied)?;
    let before = listing.entries.first();
    let guard = before.map_or(Guard::Absent(key.clone()), |entry| Guard::At(key.clone(), entry.modified));
    let former: Option<Fingerprint> = before.and_then(|entry| codec::decode(&entry.value).ok());
    let txn = Txn { guards: vec![guard], writes: vec![Write::put(key, fingerprint)] };
    let at = store.commit(txn).await?;
    let another = former.filter(|former| !former.id.is_empty() && former.id != fingerprint.id);
    let Some(Fingerprint { id: was, .. }) = another else { return Ok(Registered { at, over: Over::Own }) };
    tracing::warn!(node, was, is = fingerprint.id, "another machine or data directory had the node's name");
    Ok(Registered { at, over: Over::Another })
}

impl Registration {
    /// Keeps `current`, and with it the node's fingerprint in the store, up to date until told to stop.
    pub(crate) async fn keep<S: Store>(
        mut self,
        store: S,
        current: watch::Sender<Fingerprint>,
        standing: watch::Receiver<Standing>,
        stop: CancellationToken,
    ) {
        // The feed writes the first, before it believes anything.
        let (mut written, mut is_stuck) = (Some(current.borrow().clone()), false);
        let mut next = Instant::now() + LOOK_EVERY;
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
                Ok(()) = self.follows.changed() => {}
                Ok(()) = self.held.changed() => {}
            }
            let (fresh, held_mb) = (self.machine.observe().await, *self.held.borrow_and_update());
            self.facts.follow_disk(&fresh, held_mb);
            next = Instant::now() + LOOK_EVERY;
            current.send_replace(self.fingerprint().await);
            let fingerprint = current.borrow().clone();
            // Whoever took it away or wrote something else there did not say that the node is not there.
            let is_there = stands(&store, &self.config.name, &fingerprint).await;
            if (written.as_ref() != Some(&fingerprint) || !is_there) && standing.borrow().may_speak() {
                match register(&store, &self.config.name, &fingerprint).await {
                    Ok(_) => (written, is_stuck) = (Some(fingerprint), false),
                    Err(error) => {
                        if !std::mem::replace(&mut is_stuck, true) {
                            tracing::warn!("this node's registration is sent until it is written: {error}");
                        }
                        next = Instant::now() + AGAIN;
                    }
                }
            }
        }
    }

    /// What the node is now.
    pub(crate) async fn fingerprint(&self) -> Fingerprint {
        let Registration { config, facts, host_ip, drivers, follows, identity, machine: _, held: _ } = self;
        let mut attributes = facts.attributes.clone();
        let mut healths = BTreeMap::new();
        for (name, driver) in drivers {
            let seen = driver.fingerprint().await;
            attributes.extend(seen.attributes);
            let health = DriverHealth { detected: seen.detected, healthy: seen.healthy, reason: seen.reason };
            healths.insert(name.clone(), health);
        }
        Fingerprint {
            datacenter: config.datacenter.clone(),
            region: config.region.clone(),
            pool: config.pool.clone(),
            class: config.class.clone(),
            address: config.advertise.clone().unwrap_or_default(),
            host_ip: host_ip.to_string(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            id: identity.id.clone(),
            session: identity.session.clone(),
            attributes,
            meta: config.meta.clone(),
            drivers: healths,
            capacity: config.capacity.unwrap_or(facts.capacity),
            reserved: config.reserved,
            reserved_ports: config.reserved_ports.clone(),
            dynamic_ports: config.dynamic_ports,
            memory_oversubscription: config.memory_oversubscription,
            host_volumes: config.host_volumes.clone(),
            follows: follows.borrow().clone(),
        }
    }
}

/// Whether the store says of the node what it says itself; a store that does not answer is not asked again.
async fn stands<S: Store>(store: &S, node: &str, fingerprint: &Fingerprint) -> bool {
    let Ok(listing) = store.list(&Prefix::one(&Key::fingerprint(node))).await else { return true };
    let stored = listing.entries.first().and_then(|entry| codec::decode::<Fingerprint>(&entry.value).ok());
    stored.as_ref() == Some(fingerprint)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use futures::future::BoxFuture;

    use super::*;
    use store::{Limits, Memory};

    /// A machine whose disk others fill and clear.
    struct Filling(Mutex<u64>);

    impl Filling {
        fn facts(&self) -> MachineFacts {
            let mut facts = MachineFacts::default();
            facts.capacity.disk_mb = *self.0.lock().unwrap();
            facts
        }
        fn is_free(&self, disk_mb: u64) {
            *self.0.lock().unwrap() = disk_mb;
        }
    }

    impl Machine for Filling {
        fn observe(&self) -> BoxFuture<'_, MachineFacts> {
            Box::pin(std::future::ready(self.facts()))
        }
        fn host_ip(&self) -> IpAddr {
            Ipv4Addr::LOCALHOST.into()
        }
    }

    /// What is stored of the node's disk, and how often it was written.
    async fn stored(store: &Memory) -> (u64, Revision) {
        let listing = store.list(&Prefix::one(&Key::fingerprint("n1"))).await.unwrap();
        let entry = &listing.entries[0];
        (codec::decode::<Fingerprint>(&entry.value).unwrap().capacity.disk_mb, entry.modified)
    }

    #[tokio::test(start_paused = true)]
    async fn room_on_the_disk_is_followed_and_what_tasks_hold_is_theirs() {
        let store = Memory::new(Limits::default());
        let machine = Arc::new(Filling(Mutex::new(10_000)));
        let (held, follows) = (watch::Sender::new(0), watch::Sender::new(String::new()));
        let registration = Registration {
            config: AgentConfig::new("n1", "/data"),
            facts: machine.facts(),
            machine: machine.clone(),
            held: held.subscribe(),
            host_ip: machine.host_ip(),
            drivers: BTreeMap::new(),
            follows: follows.subscribe(),
            identity: Identity::default(),
        };
        let first = registration.fingerprint().await;
        register(&store, "n1", &first).await.unwrap();
        let (current, _reader) = watch::channel(first);
        let (standing, stop) = (watch::Sender::new(Standing::Unjudged), CancellationToken::new());
        let keeping = registration.keep(store.clone(), current, standing.subscribe(), stop.clone());
        let keeping = tokio::spawn(keeping);
        let later = async || tokio::time::sleep(LOOK_EVERY + Duration::from_secs(1)).await;
        let written = stored(&store).await;

        machine.is_free(9_500);
        later().await;
        assert_eq!(stored(&store).await, written, "not worth a word");
        machine.is_free(5_000);
        later().await;
        assert_eq!(stored(&store).await.0, 5_000);
        machine.is_free(2_000);
        held.send_replace(3_000);
        tokio::task::yield_now().await;
        later().await;
        assert_eq!(stored(&store).await.0, 5_000, "tasks wrote what they were promised");
        held.send_replace(0);
        later().await;
        assert_eq!(stored(&store).await.0, 2_000);
        machine.is_free(9_000);
        later().await;
        assert_eq!(stored(&store).await.0, 9_000);
        stop.cancel();
        keeping.await.unwrap();
    }
}
