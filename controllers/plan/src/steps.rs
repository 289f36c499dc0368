//! A decision: steps, when to ask again, and why.

use std::fmt;

use jiff::Timestamp;

use crate::Guard;

/// What to do about one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<E> {
    /// In this order, each atomic; the state after any prefix is safe.
    pub steps: Vec<Step<E>>,
    /// When the answer may differ although nothing has changed.
    pub wake_at: Option<Timestamp>,
    /// Why, and why not.
    pub notes: Vec<Note>,
}

/// Effects that happen together or not at all, if all the guards hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<E> {
    /// What must hold.
    pub guards: Vec<Guard>,
    /// What happens.
    pub effects: Vec<E>,
}

/// A sentence for people about one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What it is about: `web.api.0-v1.0`, `web`.
    pub about: String,
    /// What there is to say.
    pub text: String,
}

impl<E> Plan<E> {
    /// Nothing to do, nothing to say.
    pub fn empty() -> Plan<E> {
        Plan { steps: Vec::new(), wake_at: None, notes: Vec::new() }
    }
    /// Nothing to do, and why.
    pub fn nothing(about: impl Into<String>, why: impl Into<String>) -> Plan<E> {
        Plan::empty().note(about, why)
    }
    /// Then this step; a step without effects is none.
    pub fn then(mut self, step: Step<E>) -> Plan<E> {
        if !step.effects.is_empty() {
            self.steps.push(step);
        }
        self
    }
    /// Says something about an object.
    pub fn note(mut self, about: impl Into<String>, text: impl Into<String>) -> Plan<E> {
        self.notes.push(Note { about: about.into(), text: text.into() });
        self
    }
    /// Asks to be asked again; the earliest wish counts.
    pub fn wake(mut self, at: Option<Timestamp>) -> Plan<E> {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self
    }
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl<E> Default for Step<E> {
    fn default() -> Step<E> {
        Step { guards: Vec::new(), effects: Vec::new() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.text)
    }
}

impl<E: fmt::Display> fmt::Display for Plan<E> {
    /// One line per effect, a blank line between steps: what the golden tests show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            if number > 0 {
                writeln!(f, "then")?;
            }
            for effect in &step.effects {
                writeln!(f, "{effect}")?;
            }
        }
        if let Some(at) = self.wake_at {
            writeln!(f, "wake at {at}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note {note}"))
    }
}
