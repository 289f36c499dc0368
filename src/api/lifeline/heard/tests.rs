//! Orders of beats, claims, pauses and late writes.

use super::*;

const GRACES: Graces = Graces { usual: Duration::from_secs(6), restart: Duration::from_secs(30) };

/// A server called `s1` that began to listen at second 100, and one node.
struct Ear {
    listening: Listening,
    node: Heard,
    now: Duration,
    revision: u64,
}

impl Ear {
    fn new() -> Ear {
        let now = Duration::from_secs(100);
        Ear { listening: Listening::begin(now), node: Heard::default(), now, revision: 10 }
    }

    fn pass(&mut self, seconds: f32) {
        let (mut left, look) = (Duration::from_secs_f32(seconds), Duration::from_millis(500));
        while let Some(rest) = left.checked_sub(look) {
            left = rest;
            self.now += look;
            self.listening.look(self.now);
        }
    }

    /// The process stands still.
    fn stop(&mut self, seconds: f32) {
        self.now += Duration::from_secs_f32(seconds);
        self.listening.look(self.now);
    }

    fn beat(&mut self, session: &str, count: u64) {
        let beat = AgentBeat { session: session.into(), count, ..AgentBeat::default() };
        self.node.beats(beat, self.now);
    }

    /// Somebody wrote the link.
    fn link(&mut self, server: &str, session: &str, count: u64) {
        self.revision += 1;
        let (at, server, session) = (Revision(self.revision), server.to_owned(), session.to_owned());
        let link = Link { server, session, count, connected: true, told: true };
        self.node.learn(Known { at, link: Some((&link, at)), down: None }, "s1", self.now);
    }

    /// The heartbeat controller gave it up.
    fn down(&mut self) {
        let (linked, down) = (Revision(self.revision), Revision(self.revision + 1));
        self.revision += 1;
        let link = Link { server: "s1".into(), connected: true, ..Link::default() };
        self.node.learn(Known { at: down, link: Some((&link, linked)), down: Some(down) }, "s1", self.now);
    }

    /// What it would write, and does.
    fn write(&mut self) -> &'static str {
        let Some(link) = self.node.due("s1", (&self.listening, GRACES), self.now) else { return "nothing" };
        self.revision += 1;
        self.node.wrote(&link, Revision(self.revision), self.now);
        match link {
            Link { connected: false, .. } => "silent",
            Link { told: false, .. } => "heard, untold",
            Link { .. } => "heard",
        }
    }
}

#[test]
fn a_node_that_beats_is_heard_and_silent_after_its_grace() {
    let mut ear = Ear::new();
    ear.beat("a", 1);
    assert_eq!((ear.write(), ear.write()), ("heard", "nothing"));
    ear.pass(5.5);
    assert_eq!(ear.write(), "nothing");
    ear.pass(0.5);
    assert_eq!((ear.write(), ear.write()), ("silent", "nothing"));
    ear.beat("a", 2);
    assert_eq!(ear.write(), "heard");
}

#[test]
fn a_claim_of_another_server_is_answered_by_a_newer_beat_only() {
    let mut ear = Ear::new();
    ear.beat("a", 7);
    assert_eq!(ear.write(), "heard");
    ear.link("s2", "a", 7);
    assert_eq!(ear.write(), "nothing", "the same beat went to both");
    ear.link("s2", "a", 9);
    ear.beat("a", 8);
    assert_eq!(ear.write(), "nothing", "a beat that lay in a buffer while the other was heard");
    ear.beat("a", 10);
    assert_eq!(ear.write(), "heard");
    // An agent of old counts nothing: what arrived before the claim was seen is older.
    ear.link("s2", "", 0);
    assert_eq!(ear.write(), "nothing");
    ear.beat("", 0);
    assert_eq!(ear.write(), "heard");
    ear.beat("", 0);
    ear.link("s2", "", 0);
    assert_eq!(ear.write(), "nothing");
}

#[test]
fn silence_is_reported_only_on_a_link_of_its_own_and_only_after_the_whole_grace() {
    let mut ear = Ear::new();
    ear.beat("a", 1);
    assert_eq!(ear.write(), "heard");
    ear.pass(3.0);
    ear.link("s2", "a", 2);
    ear.pass(20.0);
    assert_eq!(ear.write(), "nothing", "it is another's to judge");
    // A write of its own arrives late and claims the node for it.
    ear.link("s1", "a", 1);
    ear.pass(5.5);
    assert_eq!(ear.write(), "nothing", "it has not listened for the whole grace");
    ear.pass(0.5);
    assert_eq!(ear.write(), "silent");
}

#[test]
fn its_own_pause_is_not_the_nodes_silence() {
    let wait = |pause: f32| {
        let mut ear = Ear::new();
        ear.beat("a", 1);
        assert_eq!(ear.write(), "heard");
        ear.pass(5.0);
        ear.stop(pause);
        let mut waited = 0.0_f32;
        while ear.write() == "nothing" {
            ear.pass(0.5);
            waited += 0.5;
        }
        waited
    };
    assert!((wait(0.5) - 0.5).abs() < 0.1, "half a second is no pause");
    assert!((wait(2.6) - 6.0).abs() < 0.1, "a fresh grace");
    assert!((wait(20.0) - 30.0).abs() < 0.1, "after a long pause nothing is known");
}

#[test]
fn after_a_start_those_who_were_not_heard_yet_get_longer() {
    let mut ear = Ear::new();
    ear.link("s1", "a", 1);
    ear.pass(29.5);
    assert_eq!(ear.write(), "nothing");
    ear.pass(0.5);
    assert_eq!(ear.write(), "silent");
    let mut ear = Ear::new();
    ear.link("s1", "a", 1);
    ear.pass(12.0);
    ear.beat("b", 1);
    ear.pass(6.0);
    assert_eq!(ear.write(), "silent", "once heard, the usual grace");
}

#[test]
fn a_node_that_was_called_down_is_written_again_with_its_next_beat() {
    let mut ear = Ear::new();
    ear.beat("a", 1);
    assert_eq!(ear.write(), "heard");
    ear.down();
    assert_eq!(ear.write(), "nothing", "an old beat is no sign of life");
    ear.beat("a", 2);
    assert_eq!((ear.write(), ear.write()), ("heard", "nothing"));
}

#[test]
fn all_reports_written_is_told_once() {
    let mut ear = Ear::new();
    let untold = AgentBeat { told: false, ..AgentBeat::default() };
    ear.node.beats(untold.clone(), ear.now);
    assert_eq!((ear.write(), ear.write()), ("heard, untold", "nothing"));
    ear.beat("", 0);
    assert_eq!((ear.write(), ear.write()), ("heard", "nothing"));
    ear.node.beats(untold, ear.now);
    assert_eq!(ear.write(), "nothing", "a ready node stays ready while it reports");
}

#[test]
fn a_node_is_late_after_a_missed_beat() {
    let mut ear = Ear::new();
    ear.beat("a", 1);
    ear.write();
    ear.pass(3.0);
    assert!(!ear.node.is_late(&ear.listening, GRACES, ear.now));
    ear.pass(0.5);
    assert!(ear.node.is_late(&ear.listening, GRACES, ear.now));
    ear.link("s2", "a", 2);
    assert!(!ear.node.is_late(&ear.listening, GRACES, ear.now), "another server says so");
}
