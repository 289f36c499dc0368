//! A Unix signal by number, written and read by name.

use std::{fmt, str::FromStr};

/// A signal that exists on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(i32);

/// Why a text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown signal {0:?}: expected a name such as SIGTERM or a number")]
pub struct SignalError(String);

impl Signal {
    /// A terminal hangs up.
    pub const HUP: Self = Self(1);
    /// A child has changed its state.
    pub const CHLD: Self = Self(nix::sys::signal::Signal::SIGCHLD as i32);
    /// Interrupt: what a terminal sends on Ctrl-C.
    pub const INT: Self = Self(2);
    /// Kill: cannot be caught.
    pub const KILL: Self = Self(9);
    /// Terminate: the polite word.
    pub const TERM: Self = Self(15);

    /// The signal's number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// The signal of that number, if there is one.
    pub fn from_number(number: i32) -> Option<Self> {
        nix::sys::signal::Signal::try_from(number).ok().map(|_| Self(number))
    }
}

impl From<Signal> for nix::sys::signal::Signal {
    fn from(signal: Signal) -> Self {
        Self::try_from(signal.0).expect("a Signal is only made from a number that exists")
    }
}

impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let unknown = || SignalError(text.to_owned());
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        let known = nix::sys::signal::Signal::from_str(&name).map_err(|_| unknown())?;
        Ok(Self(known as i32))
    }
}

impl TryFrom<String> for Signal {
    type Error = SignalError;

    fn try_from(text: String) -> Result<Self, SignalError> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.to_string()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(nix::sys::signal::Signal::from(*self).as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read() {
        for text in ["SIGTERM", "TERM", "term", "15"] {
            assert_eq!(text.parse::<Signal>().unwrap(), Signal::TERM, "{text}");
        }
        assert_eq!(Signal::INT.to_string(), "SIGINT");
        for text in ["SIGNOPE", "0", "-1", "4711", ""] {
            assert!(text.parse::<Signal>().is_err(), "{text:?} was accepted");
        }
    }
}
