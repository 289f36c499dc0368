//! Beats of one name in their order, as one server judges them.

use plan::fixture;

use super::*;

fn beat(words: &str) -> AgentBeat {
    let words: Vec<&str> = words.split(' ').collect();
    let [id, session] = words[..2] else { panic!("an id and a session") };
    let follows = words[2..].iter().map(|word| (*word).to_owned()).collect();
    AgentBeat { id: id.into(), session: session.into(), follows, ..AgentBeat::default() }
}

fn link(server: &str, session: &str) -> Link {
    Link { server: server.into(), connected: true, session: session.into(), ..Link::default() }
}

/// What a server says to beats that come at these seconds, each heard in the light of those before.
struct Server {
    holders: Holders,
    former: Option<(AgentBeat, Duration)>,
}

impl Server {
    fn new() -> Server {
        let mut holders = Holders::default();
        holders.see(&View::default(), "n1", Duration::ZERO);
        Server { holders, former: None }
    }

    fn with_link(server: &str, session: &str) -> Server {
        let mut new = Server::new();
        new.holders.wrote("n1", &link(server, session), Revision(5));
        new.holders.nodes.get_mut("n1").unwrap().id = "i1".into();
        new
    }

    fn hears(&mut self, second: u64, words: &str) -> &'static str {
        let (now, beat) = (Duration::from_secs(second), beat(words));
        let former = self.former.as_ref().map(|(former, last)| (former, *last));
        match self.holders.judge("n1", &beat, former, Hearer { server: "own", now, steady: Duration::ZERO }) {
            Ok(is_held) => {
                self.former = Some((beat, now));
                if is_held { "held" } else { "noted" }
            }
            Err(_) => "refused",
        }
    }

    fn may_write(&self, session: &str, found: &(Link, Revision)) -> bool {
        self.holders.may_write("n1", &link("own", session), &beat(&format!("i {session}")), found)
    }
}

#[test]
fn before_a_link_is_written_the_first_beat_holds_the_name() {
    let mut server = Server::new();
    assert_eq!(server.hears(0, "i1 a"), "noted");
    assert_eq!(server.hears(1, "i2 b"), "refused");
    server.holders.wrote("n1", &link("own", "a"), Revision(7));
    assert_eq!(server.hears(2, "i1 a"), "held");
    assert_eq!(server.hears(3, "i2 b"), "refused");
    let mut server = Server::new();
    assert_eq!(server.hears(0, "i1 a"), "noted");
    assert_eq!(server.hears(6, "i2 b"), "noted", "the first is gone, and nothing was written");
}

#[test]
fn a_restart_follows_and_what_follows_it_too() {
    let mut server = Server::with_link("own", "a");
    assert_eq!(server.hears(0, "i1 a"), "held");
    assert_eq!(server.hears(1, "i1 b a"), "noted");
    assert_eq!(server.hears(2, "i1 c b"), "noted", "the store stalls: the first link is still there");
    assert!(server.may_write("c", &(link("own", "a"), Revision(5))));
    server.holders.wrote("n1", &link("own", "c"), Revision(9));
    assert_eq!(server.hears(3, "i1 c b"), "held");
    assert_eq!(server.hears(4, "i1 a"), "refused");
}

#[test]
fn a_restart_is_let_in_though_nobody_heard_the_one_between() {
    for server in ["own", "other"] {
        let mut server = Server::with_link(server, "a");
        let found = server.holders.nodes["n1"].link.clone().unwrap();
        assert_eq!(server.hears(0, "i1 c b"), "refused", "it proves nothing about who holds the name");
        assert_eq!(server.hears(0, "i1 c b a"), "noted");
        let says = beat("i1 c b a");
        let moved = (link("third", "a"), Revision(6));
        for found in [&found, &moved] {
            assert!(server.holders.may_write("n1", &link("own", "c"), &says, found), "{found:?}");
        }
        let strange = (link("third", "d"), Revision(6));
        assert!(!server.holders.may_write("n1", &link("own", "c"), &says, &strange));
        assert_eq!(server.hears(1, "i1 e d c b a"), "noted", "and so on");
        server.holders.wrote("n1", &link("own", "e"), Revision(9));
        assert_eq!(server.hears(2, "i1 c b a"), "refused", "a late beat of one that is gone");
        assert_eq!(server.hears(2, "i1 e d c b a"), "held");
    }
}

#[test]
fn a_silent_or_called_down_holder_makes_way() {
    for words in ["link n1 s1 broken", "link n1 s1 · health n1 down"] {
        let view = fixture::read(&format!("node n1 · {words}"));
        let mut server = Server::new();
        server.holders.see(&view, "n1", Duration::ZERO);
        assert_eq!(server.hears(0, "i2 b"), "noted", "{words}");
    }
}

#[test]
fn a_machine_that_was_restarted_is_let_in_when_its_former_life_has_missed_two_beats() {
    let mut server = Server::with_link("own", "a");
    assert_eq!(server.hears(1, "i1 a"), "held");
    assert_eq!(server.hears(5, "i1 b"), "refused");
    assert_eq!(server.hears(6, "i1 b"), "noted");
    assert_eq!(server.hears(8, "i1 b"), "noted", "once admitted, always");
    assert_eq!(server.hears(9, "i1 a"), "held", "it lives, and its link is still there");
    assert_eq!(server.hears(10, "i1 b"), "refused");
    // The server was restarted with the machine.
    let mut server = Server::with_link("own", "a");
    assert_eq!((server.hears(4, "i1 b"), server.hears(5, "i1 b")), ("refused", "noted"));
}

#[test]
fn while_another_server_lives_the_link_is_its_word() {
    let mut server = Server::with_link("other", "a");
    for second in 0..=9 {
        server.holders.server_beats("own", Duration::from_secs(second));
        server.holders.server_beats("other", Duration::from_secs(second));
        assert_eq!(server.hears(second, "i1 b"), "refused", "at {second}");
    }
    for second in 10..=14 {
        server.holders.server_beats("own", Duration::from_secs(second));
        assert_eq!(server.hears(second, "i1 b"), "refused", "at {second}");
    }
    assert_eq!(server.hears(18, "i1 b"), "refused", "who does not see its own beat sees nobody's");
    server.holders.server_beats("own", Duration::from_secs(19));
    assert_eq!((server.hears(20, "i2 c"), server.hears(20, "i1 b")), ("refused", "noted"));
}

#[test]
fn nobody_writes_over_a_later_link_than_it_was_admitted_over() {
    let mut server = Server::with_link("own", "a");
    assert_eq!(server.hears(7, "i1 b"), "noted");
    assert!(server.may_write("b", &(link("own", "a"), Revision(5))));
    assert!(!server.may_write("b", &(link("other", "a"), Revision(6))), "it has gone to another server");
    assert!(!server.may_write("b", &(link("other", "c"), Revision(6))));
    assert!(server.may_write("b", &(Link { connected: false, ..link("other", "c") }, Revision(6))));
    assert!(server.may_write("b", &(link("other", ""), Revision(6))), "an older agent's");
    assert!(server.may_write("b", &(link("other", "b"), Revision(6))), "its own, at another server");
}
