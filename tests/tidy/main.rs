//! The rules of the house that no compiler checks, each a test of its own that says what to do when it fails.
#![expect(clippy::unwrap_used, reason = "a test")]

mod arrows;
mod files;
mod readme;
mod source;
