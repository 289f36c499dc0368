//! A picture of the cluster, seen by a server that listens: what the tests of this crate decide about.

use jiff::SignedDuration;
use plan::{Controller, View, Write, fixture};
use schemas::key::Key;
use schemas::node::Fingerprint;

use crate::Heartbeat;

/// What its own server's beat is called.
const OWN: &str = "own";

/// A view and how long its owner has been listening.
pub(crate) struct Scene {
    pub(crate) view: View,
    uptime: i64,
    /// The moment of the picture.
    pub(crate) seconds: i64,
}

impl Scene {
    /// The servers of the picture were all heard until now, the moment 0, for `fresh` seconds.
    pub(crate) fn fresh(picture: &str, fresh: i64) -> Scene {
        let mut view = fixture::read(picture);
        register(&mut view);
        view.sight.belongs_to(OWN);
        let mut scene = Scene { view, uptime: 1_000, seconds: 0 };
        let servers: Vec<String> =
            scene.view.beats.iter().map(|(key, _)| key.segment(1).to_owned()).collect();
        let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
        scene.hear(fresh, &servers);
        scene.seconds = 0;
        scene
    }

    /// The same, heard for long.
    pub(crate) fn steady(picture: &str) -> Scene {
        Scene::fresh(picture, 600)
    }

    /// Seconds pass in which these servers beat, beside its own.
    pub(crate) fn hear(&mut self, seconds: i64, alive: &[&str]) {
        for _second in 0..seconds {
            self.view.sight.tick(SignedDuration::from_millis(self.uptime * 1_000 + 500));
            self.uptime += 1;
            self.seconds += 1;
            let now = SignedDuration::from_secs(self.uptime);
            alive.iter().chain(&[OWN]).for_each(|server| self.view.sight.heard(server, now));
        }
    }

    /// Nothing happens here for a while: the observer stands still.
    pub(crate) fn pause(&mut self, seconds: i64) {
        self.uptime += seconds;
        self.seconds += seconds;
        self.view.sight.tick(SignedDuration::from_secs(self.uptime));
    }

    /// Documents change.
    pub(crate) fn write(&mut self, picture: &str) {
        fixture::write(&mut self.view, picture);
        register(&mut self.view);
    }

    /// Everything that is decided now, and done.
    pub(crate) fn decide(&mut self) -> String {
        let now = fixture::at(self.seconds);
        let mut told = String::new();
        for root in Heartbeat.all_roots(&self.view) {
            let plan = Heartbeat.plan(&self.view, &root, now);
            told += &fixture::effects(&self.view, &plan);
            fixture::apply(&mut self.view, &plan, |_| {}).expect("plans keep the rules of steps");
        }
        told
    }

    /// The nodes that are given up now, and done.
    pub(crate) fn given_up(&mut self) -> String {
        let told = self.decide();
        let down = told.lines().filter_map(|line| line.strip_prefix("health ")?.split_once(" Down"));
        down.map(|(node, _)| node).collect::<Vec<_>>().join(" ")
    }
}

/// Every node that links tell of has registered, but for strangers.
fn register(view: &mut View) {
    let linked: Vec<String> = view.links.iter().map(|(key, _)| key.segment(1).to_owned()).collect();
    let unknown = linked.iter().filter(|node| !node.starts_with("stranger"));
    let unknown: Vec<Write> = unknown
        .map(|node| Key::fingerprint(node))
        .filter(|key| view.counters(key).is_none())
        .map(|key| Write::put(key, &Fingerprint::default()))
        .collect();
    if !unknown.is_empty() {
        view.suppose(&unknown);
    }
}
