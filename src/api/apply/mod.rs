//! Server-side apply: who owns which field, and what a manager's wish makes of a document.
//!
//! Pure: documents in, documents and owners out. A manager owns the fields that it applied; to change a field of
//! another is a conflict unless it is forced, and what a manager no longer applies goes if nobody else owns it.
//! Writes that are no apply take what they change from its owners.

mod fields;
mod items;
mod managers;
mod merge;
mod structure;
#[cfg(test)]
mod tests;

pub(super) use items::{Unclear, unclear};
pub(super) use managers::{Applied, Author, Contested, apply, update};
pub(super) use structure::{Shape, Structure};
