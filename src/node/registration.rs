//! Tells the cluster what the node is: at the start, and whenever it changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use plan::Write;
use schemas::key::Key;
use schemas::node::{DriverHealth, Fingerprint};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::AgentConfig;
use super::drivers::Driver;
use super::machine::MachineFacts;
use crate::store::{Store, Txn};

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
}

impl Registration {
    /// Keeps the node's fingerprint in the store up to date until told to stop. `another_store` tells that the store
    /// may have lost what was written.
    pub(crate) async fn keep<S: Store>(
        self,
        store: S,
        first: Fingerprint,
        another_store: Arc<Notify>,
        stop: CancellationToken,
    ) {
        let (mut fingerprint, mut written) = (first, None);
        let mut is_stuck = false;
        loop {
            let mut next = Instant::now() + LOOK_EVERY;
            if written.as_ref() != Some(&fingerprint) {
                let write = Write::put(Key::fingerprint(&self.config.name), &fingerprint);
                match store.commit(Txn { guards: vec![], writes: vec![write] }).await {
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
                () = another_store.notified() => written = None,
                () = tokio::time::sleep_until(next) => {}
            }
            fingerprint = self.fingerprint().await;
        }
    }

    /// What the node is now.
    pub(crate) async fn fingerprint(&self) -> Fingerprint {
        let Registration { config, facts, host_ip, drivers } = self;
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
