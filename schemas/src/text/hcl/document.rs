//! One HCL file: its variables and locals taken out, everything else evaluated.

use std::cell::RefCell;

use hcl_edit::structure::{self, Structure};

use super::body::Body;
pub(crate) use super::evaluate::Unbound;
use super::evaluate::{Evaluator, Scope};
use super::module::Module;
use crate::text::diagnostic::Diagnostic;
use crate::text::options::Options;
use crate::text::source::Source;

/// A file after evaluation, and what is to be said about it.
pub(crate) struct Document {
    pub(crate) body: Body,
    /// Errors and warnings; with an error among them the body is incomplete.
    pub(crate) said: Vec<Diagnostic>,
}

/// Reads a file. A syntax error is the only thing said about a text that has one.
pub(crate) fn parse(source: &Source, options: &Options, unbound: Unbound) -> Result<Document, Diagnostic> {
    let syntax = super::syntax::parse(source)?;
    let said = RefCell::default();
    let module = Module::load(source, &syntax, options, &said);
    let evaluator = Evaluator::new(source, options, &module, unbound, &said);
    module.check_locals(&evaluator);
    let rest: structure::Body = syntax.iter().filter(|item| !declares(item)).cloned().collect();
    let body = evaluator.body(&rest, &Scope::EMPTY);
    Ok(Document { body, said: said.into_inner() })
}

/// Whether an expression is, in a file without variables, exactly this text.
pub(crate) fn reads_as(expression: &str, text: &str) -> bool {
    let source = Source::new("expression", format!("value = {expression}\n"));
    let read = parse(&source, &Options::default(), Unbound::Keep);
    read.is_ok_and(|document| {
        document.said.is_empty()
            && document.body.attribute("value").and_then(|entry| entry.value.as_str()) == Some(text)
    })
}

fn declares(item: &Structure) -> bool {
    match item {
        Structure::Attribute(_) => false,
        Structure::Block(block) => ["variable", "variables", "locals"].contains(&block.ident.as_str()),
    }
}
