//! What an agent and a server say to each other every two seconds.

use serde::{Deserialize, Serialize};

/// How many former lives a beat names at most.
pub const FORMER_SESSIONS: usize = 16;
/// A longer word is no session.
const SESSION_BYTES: usize = 64;

/// What an agent says with each beat. An empty body, from an older agent, means the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct AgentBeat {
    /// All that the agent knows of its allocations is written in its reports. Default: true.
    pub told: bool,
    /// The node's id, made once and kept by the agent.
    pub id: String,
    /// This life of the agent.
    pub session: String,
    /// The lives of the agent before this one, the latest first: all are proved to be over.
    pub follows: Vec<String>,
    /// Which beat this is in its session, so that beats heard by two servers have an order. 0: nobody counts.
    pub count: u64,
}
impl Default for AgentBeat {
    fn default() -> AgentBeat {
        let (id, session, follows) = Default::default();
        AgentBeat { told: true, id, session, follows, count: 0 }
    }
}

/// How a beat is written. An older server knows one former life, as a word, and none of those before it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Form {
    told: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<Words>,
    /// The lives before the one that it follows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    count: u64,
}
impl Default for Form {
    fn default() -> Form {
        AgentBeat::default().into()
    }
}

/// One or many.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl From<Form> for AgentBeat {
    /// Who says more than is asked proves no more.
    fn from(form: Form) -> AgentBeat {
        let Form { told, id, session, follows, before, count } = form;
        let mut follows = match follows {
            None => Vec::new(),
            Some(Words::One(word)) => vec![word],
            Some(Words::Many(words)) => words,
        };
        follows.extend(before);
        follows.retain(|session| !session.is_empty() && session.len() <= SESSION_BYTES);
        follows.truncate(FORMER_SESSIONS);
        AgentBeat { told, id, session, follows, count }
    }
}

impl From<AgentBeat> for Form {
    fn from(beat: AgentBeat) -> Form {
        let AgentBeat { told, id, session, follows, count } = beat;
        let mut follows = follows.into_iter();
        Form { told, id, session, follows: follows.next().map(Words::One), before: follows.collect(), count }
    }
}

/// What a server answers to a beat that counts. An empty body, from an older server, means the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BeatAnswer {
    /// The cluster knows that the name is this session's; otherwise it is about to be written. Default: true.
    pub held: bool,
}
impl Default for BeatAnswer {
    fn default() -> BeatAnswer {
        BeatAnswer { held: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(follows: &str) -> Vec<String> {
        serde_json::from_str::<AgentBeat>(&format!("{{{follows}}}")).unwrap().follows
    }

    #[test]
    fn former_lives_are_read_in_every_form_and_bounded() {
        for (written, expected) in [
            ("", &[][..]),
            (r#""follows":null"#, &[]),
            (r#""follows":"""#, &[]),
            (r#""follows":"b""#, &["b"]),
            (r#""follows":["b","a"]"#, &["b", "a"]),
            (r#""follows":"c","before":["b","","a"]"#, &["c", "b", "a"]),
        ] {
            assert_eq!(read(written), expected, "{written}");
        }
        let many: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(read(&format!(r#""follows":{many:?}"#)), many[..16]);
        let long = "x".repeat(65);
        assert_eq!(read(&format!(r#""follows":"{long}","before":["a"]"#)), ["a"]);
    }

    /// What an older server reads is a word, and what it does not know is beside it.
    #[test]
    fn the_form_is_pinned() {
        let written = |follows: &[&str]| {
            let follows = follows.iter().map(|session| (*session).to_owned()).collect();
            let beat = AgentBeat { session: "d".into(), follows, count: 3, ..AgentBeat::default() };
            let form = serde_json::to_string(&beat).unwrap();
            assert_eq!(serde_json::from_str::<AgentBeat>(&form).unwrap(), beat);
            form
        };
        assert_eq!(written(&[]), r#"{"told":true,"session":"d","count":3}"#);
        assert_eq!(written(&["c"]), r#"{"told":true,"session":"d","follows":"c","count":3}"#);
        let all = r#"{"told":true,"session":"d","follows":"c","before":["b","a"],"count":3}"#;
        assert_eq!(written(&["c", "b", "a"]), all);
    }
}
