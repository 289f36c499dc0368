//! The controllers of one server: all of them, each run by whichever server leads it.

use std::sync::Arc;

use plan::{Controller, Write};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::beat::beat;
use super::lanes::Lanes;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::control::{Runner, Seat, lead};
use crate::store::Store;

/// A server as its peers know it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Unique among the servers of a cluster, and the same after a restart.
    pub name: String,
    /// Where its API answers.
    pub address: String,
}

/// Every controller there is.
pub fn controllers() -> Vec<Arc<dyn Controller<Effect = Write>>> {
    vec![Arc::new(deployment::Deployer), Arc::new(scheduler::Scheduler), Arc::new(heartbeat::Heartbeat)]
}

/// Starts the cache, the server's beat and all controllers; they end with the token.
pub fn control_plane<S: Store>(
    store: &S,
    cache: &Cache,
    clock: &Clock,
    identity: &Identity,
    (lanes, stop): (&Lanes, &CancellationToken),
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    {
        let (cache, store, stop) = (cache.clone(), store.clone(), stop.clone());
        tasks.spawn_on(async move { cache.run(store, stop).await }, &lanes.plans);
    }
    let beat = beat(store.clone(), identity.name.clone(), identity.address.clone(), stop.clone());
    tasks.spawn_on(beat, &lanes.life);
    for controller in controllers() {
        let seat = Seat { controller: controller.name(), server: identity.name.clone() };
        let (plan_store, plan_cache, clock) = (store.clone(), cache.clone(), clock.clone());
        let work = move |term, stop| {
            let runner = Runner {
                controller: controller.clone(),
                store: plan_store.clone(),
                cache: plan_cache.clone(),
                clock: clock.clone(),
                term,
            };
            runner.run(stop)
        };
        tasks.spawn_on(lead(store.clone(), cache.clone(), seat, stop.clone(), work), &lanes.plans);
    }
    tasks
}
