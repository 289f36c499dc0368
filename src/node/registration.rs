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
use super::drivers::Driver;
use super::identity::Identity;
use super::machine::MachineFacts;
use super::standing::{Standing, may_speak};
use crate::store::{CommitError, Store, Txn};

/// How often the machine and its runtimes are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long to wait after a registration that was not written.
const AGAIN: Duration = Duration::from_secs(1);

/// What a registration is made of. The machine was looked at once: how much of it is free changes all the time,
/// and what tasks may use in all should not.
pub(crate) struct Registration {
    pub(crate) config: AgentConfig,
    pub(crate) facts: MachineFacts,
    pub(crate) host_ip: IpAddr,
    pub(crate) drivers: BTreeMap<String, Arc<dyn Driver>>,
    pub(crate) identity: Identity,
}

/// Writes what a node is over what was written before, unless somebody else writes it too. Only the holder of the
/// node's name may.
pub(crate) async fn register<S: Store>(
    store: &S,
    node: &str,
    fingerprint: &Fingerprint,
) -> Result<Revision, CommitError> {
    let key = Key::fingerprint(node);
    let listing = store.list(&Prefix::one(&key)).await.map_err(|_| CommitError::NotApplied)?;
    let before = listing.entries.first();
    let guard = before.map_or(Guard::Absent(key.clone()), |entry| Guard::At(key.clone(), entry.modified));
    let former: Option<Fingerprint> = before.and_then(|entry| codec::decode(&entry.value).ok());
    let txn = Txn { guards: vec![guard], writes: vec![Write::put(key, fingerprint)] };
    let written = store.commit(txn).await?;
    if let Some(former) = former.filter(|former| !former.id.is_empty() && former.id != fingerprint.id) {
        let (was, is) = (former.id, &fingerprint.id);
        tracing::warn!(node, was, is, "the node has a new id: another machine or data directory had its name");
    }
    Ok(written)
}

impl Registration {
    /// Keeps `current`, and with it the node's fingerprint in the store, up to date until told to stop.
    pub(crate) async fn keep<S: Store>(
        self,
        store: S,
        current: watch::Sender<Fingerprint>,
        standing: watch::Receiver<Standing>,
        stop: CancellationToken,
    ) {
        let (mut written, mut is_stuck) = (None, false);
        let mut holding = standing.clone();
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = may_speak(&mut holding) => {}
        }
        loop {
            let mut next = Instant::now() + LOOK_EVERY;
            let fingerprint = current.borrow().clone();
            if written.as_ref() != Some(&fingerprint) && standing.borrow().may_speak() {
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
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
            current.send_replace(self.fingerprint().await);
        }
    }

    /// What the node is now.
    pub(crate) async fn fingerprint(&self) -> Fingerprint {
        let Registration { config, facts, host_ip, drivers, identity } = self;
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
            host_volumes: config.host_volumes.clone(),
        }
    }
}
