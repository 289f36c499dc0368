//! The controllers of one server: all of them, each run by whichever server leads it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use plan::{Controller, Write};
use tokio_util::sync::CancellationToken;

use super::beat::beat;
use super::brake_watch::watch_brake;
use super::lanes::Lane;
use super::stray_watch::watch_strays;
use api::lifeline::Hearing;
use cache::Cache;
use clock::Clock;
use control::{Runner, Seat, lead};
use store::Store;

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

/// What a server runs its control plane with.
#[derive(Clone)]
pub struct ControlPlane<S> {
    /// Where documents lie.
    pub store: S,
    /// The picture of them.
    pub cache: Cache,
    /// What time it is.
    pub clock: Clock,
    /// Who the server is.
    pub identity: Identity,
    /// Which nodes it hears.
    pub hearing: Hearing<S>,
}

/// Something that runs until its token is cancelled.
pub type Part = BoxFuture<'static, ()>;

impl<S: Store> ControlPlane<S> {
    /// The cache, the server's beat, its ear for nodes, and all controllers, each with its lane: each runs until the
    /// token is cancelled.
    pub fn parts(&self, stop: &CancellationToken) -> Vec<(Lane, Part)> {
        let ControlPlane { store, cache, clock: _, identity, hearing } = self.clone();
        cache.belongs_to(&identity.name);
        let mut parts: Vec<(Lane, Part)> = vec![
            (Lane::Life, beat(hearing.clone(), store.clone(), identity, stop.clone()).boxed()),
            (Lane::Life, hearing.clone().run(stop.clone()).boxed()),
            (Lane::Plans, hearing.follow(cache.clone(), stop.clone()).boxed()),
            (Lane::Plans, watch_brake(cache.clone(), stop.clone()).boxed()),
            (Lane::Plans, watch_strays(cache.clone(), stop.clone()).boxed()),
        ];
        let leading = controllers().into_iter().map(|controller| self.leading(controller, stop));
        parts.extend(leading.map(|part| (Lane::Plans, part)));
        let stop = stop.clone();
        parts.push((Lane::Plans, async move { cache.run(store, stop).await }.boxed()));
        parts
    }

    fn leading(&self, controller: Arc<dyn Controller<Effect = Write>>, stop: &CancellationToken) -> Part {
        let ControlPlane { store, cache, clock, identity, hearing: _ } = self.clone();
        let seat = Seat { controller: controller.name(), server: identity.name };
        let (plan_store, plan_cache) = (store.clone(), cache.clone());
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
        lead(store, cache, seat, stop.clone(), work).boxed()
    }
}
