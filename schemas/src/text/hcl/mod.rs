//! The expression language: HashiCorp's grammar, by a parser crate, and its semantics, by our own evaluator.

mod body;
mod document;
mod evaluate;
mod functions;
mod interpolate;
mod module;
mod number;
mod operators;
mod syntax;
mod template;
mod traversal;
mod types;
mod value;
mod variables;
mod weigh;

#[cfg(test)]
mod tests;

pub(crate) use body::{Block, Body};
pub(crate) use document::{Unbound, parse, reads_as};
pub(crate) use syntax::{check, string_end};
