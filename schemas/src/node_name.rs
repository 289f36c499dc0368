//! What a node may be called: one rule for everybody who makes a key, a path or an address of it.

use crate::invisible::is_invisible;

/// A node's name is part of keys and of allocation names, which must fit into a file name.
const LONGEST: usize = 128;

/// Why a word is no name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoNodeName {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// It does not fit into keys and file names.
    #[error("it is longer than {LONGEST} bytes")]
    Long,
    /// It would be read as a folder.
    #[error("`.` and `..` mean folders")]
    Folder,
    /// It would end a key or an address, or cannot be seen.
    #[error("it holds {0:?}; white space, what cannot be seen and / \\ ? # % are not allowed")]
    Letter(char),
}

/// Checks a word that is to be the name of a node.
pub fn check(name: &str) -> Result<(), NoNodeName> {
    if name.is_empty() {
        return Err(NoNodeName::Empty);
    }
    if name.len() > LONGEST {
        return Err(NoNodeName::Long);
    }
    if matches!(name, "." | "..") {
        return Err(NoNodeName::Folder);
    }
    let is_bad = |letter: &char| {
        letter.is_whitespace() || is_invisible(*letter) || matches!(letter, '/' | '\\' | '?' | '#' | '%')
    };
    name.chars().find(is_bad).map_or(Ok(()), |letter| Err(NoNodeName::Letter(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_machines_pass_and_pieces_of_paths_do_not() {
        for name in ["n1", "web-3.example.org", "Knoten_ä", "a:b", "..."] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        let long = "x".repeat(129);
        for name in ["", ".", "..", "a/b", "a\\b", "a b", "a\nb", "a?b", "a#b", "a%2Fb", "a\u{202e}b", &long]
        {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
