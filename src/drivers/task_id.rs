//! The name by which an agent and its runtimes speak of one task of one allocation.

use std::fmt;

/// `<namespace>/<allocation>/<task>`, unique on a node; derived from the job, never random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(String);

/// Why a text is not a task id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task id is <namespace>/<allocation>/<task>, none empty: {0:?}")]
pub struct TaskIdError(String);

impl TaskId {
    /// Joins the three names. Slashes are allowed only in the allocation (dispatched jobs have them).
    pub fn new(namespace: &str, allocation: &str, task: &str) -> Result<Self, TaskIdError> {
        format!("{namespace}/{allocation}/{task}").try_into()
    }

    /// The namespace of the job.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The allocation's name.
    pub fn allocation(&self) -> &str {
        let after = self.0.split_once('/').map_or("", |(_, rest)| rest);
        after.rsplit_once('/').map_or("", |(allocation, _)| allocation)
    }

    /// The task's name inside its group.
    pub fn task(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, task)| task)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 16 hexadecimal digits that name the task wherever length or alphabet is limited (folders, cgroups, sockets).
    pub fn digest(&self) -> String {
        digest(&self.0)
    }
}

impl TryFrom<String> for TaskId {
    type Error = TaskIdError;

    fn try_from(text: String) -> Result<Self, TaskIdError> {
        let id = Self(text);
        let parts = [id.namespace(), id.allocation(), id.task()];
        let whole = parts.iter().all(|part| !part.is_empty()) && !id.0.contains('\0');
        if whole { Ok(id) } else { Err(TaskIdError(id.0)) }
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A name as one path component: letters, digits, `.`, `_`, `-` stay, every other byte becomes `%XX`;
/// `.`, `..` and the empty name cannot come out, and names too long for a file end in a digest.
pub fn path_component(name: &str) -> String {
    use fmt::Write as _;
    let mut safe = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => safe.push(char::from(byte)),
            b'.' if at > 0 => safe.push('.'),
            _ => write!(safe, "%{byte:02X}").expect("writing to a String succeeds"),
        }
    }
    if safe.is_empty() {
        return "%".to_owned();
    }
    if safe.len() > LONGEST_COMPONENT {
        safe.truncate(LONGEST_COMPONENT - 17);
        safe.push('~');
        safe.push_str(&digest(name));
    }
    safe
}

/// The first 16 hexadecimal digits of the text's SHA-256.
pub(super) fn digest(text: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(text.as_bytes());
    let first = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// File systems allow 255 bytes; the rest is room for suffixes such as `.stdout.12`.
const LONGEST_COMPONENT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gives_back_its_parts() {
        let id = TaskId::new("default", "web/dispatch-1.api.0-v1.0", "server").unwrap();
        assert_eq!((id.namespace(), id.task()), ("default", "server"));
        assert_eq!(id.allocation(), "web/dispatch-1.api.0-v1.0");
        assert_eq!(id.digest().len(), 16);
    }

    #[test]
    fn incomplete_ids_are_refused() {
        for text in ["", "a", "a/b", "a//c", "/b/c", "a/b/", "a/b\0/c"] {
            assert!(TaskId::try_from(text.to_owned()).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_component_never_leaves_its_folder() {
        let table =
            [("web", "web"), ("..", "%2E."), (".", "%2E"), ("a/b", "a%2Fb"), ("", "%"), ("ä", "%C3%A4")];
        for (name, expected) in table {
            assert_eq!(path_component(name), expected);
        }
        let (long, other) = (path_component(&"x".repeat(400)), path_component(&"x".repeat(401)));
        assert!(long.len() <= 200 && long != other);
    }
}
