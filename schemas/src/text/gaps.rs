//! What of a document could not be read.
//!
//! A rule that needs such a part is not judged: nobody is told of a mistake that only follows from another.
//! Everything else is, so that one reading tells all mistakes of a text.

use super::node::{Places, join};
use super::schema::{Field, Shape};
use crate::validate::Problem;

/// The parts of one document that are not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Gaps(Vec<Gap>);

#[derive(Debug, Clone, PartialEq)]
enum Gap {
    /// The value at a pointer is not known; `…/-` stands for further elements of a list.
    Value(String),
    /// An object holds a key that is not its own, and nobody knows which field was meant.
    Stranger { object: String, key: String },
}

impl Gaps {
    /// The value at a pointer is not known.
    pub(crate) fn value(&mut self, pointer: impl Into<String>) {
        self.0.push(Gap::Value(pointer.into()));
    }

    /// A field of an object is not known, or not all elements of a list of blocks are.
    pub(crate) fn field(&mut self, object: &str, field: &Field) {
        let pointer = join(object, &field.property);
        let is_repeated = matches!(&field.shape, Shape::List(of) if of.inner_struct().is_some());
        self.value(if is_repeated { join(&pointer, "-") } else { pointer });
    }

    /// An object holds a key that is not its own. It may belong into any object around or within.
    pub(crate) fn stranger(&mut self, object: &str, key: &str) {
        let mut inner = object;
        while let Some((outer, _)) = inner.rsplit_once('/') {
            self.value(join(outer, key));
            inner = outer;
        }
        self.0.push(Gap::Stranger { object: object.to_owned(), key: key.to_owned() });
    }

    /// The gaps of both.
    pub(crate) fn extend(&mut self, more: Gaps) {
        self.0.extend(more.0);
    }

    /// Whether a problem may be there only because of what could not be read.
    pub(crate) fn may_explain(&self, problem: &Problem, places: &Places) -> bool {
        let pointers = || std::iter::once(&problem.pointer).chain(&problem.depends_on);
        self.0.iter().any(|gap| pointers().any(|pointer| gap.may_explain(pointer, places)))
    }
}

impl Gap {
    fn may_explain(&self, pointer: &str, places: &Places) -> bool {
        match self {
            Gap::Value(gap) => within(pointer, gap).is_some() || within(gap, pointer).is_some(),
            Gap::Stranger { object, key } => within(pointer, object).is_some_and(|below| {
                let field = below.split('/').next().unwrap_or_default();
                let is_missing = places.exact(&format!("{object}/{field}")).is_none();
                below.is_empty() || is_missing || below.rsplit('/').next() == Some(key)
            }),
        }
    }
}

/// What follows in a pointer below another one; nothing if it is not below it.
fn within<'p>(pointer: &'p str, outer: &str) -> Option<&'p str> {
    match pointer.strip_prefix(outer)? {
        "" => Some(""),
        below => below.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::node::{Entry, Node, NodeValue};
    use crate::validate::Severity;

    /// The places of `{"a": {"b": true}}`.
    fn places() -> Places {
        let entry = |key: &str, value| Entry { key: key.into(), key_span: 0..1, value };
        let object = |entry| Node::new(NodeValue::Object(vec![entry]), 0..1);
        object(entry("a", object(entry("b", Node::new(NodeValue::Bool(true), 0..1))))).places()
    }

    fn may_explain(gaps: &Gaps, pointer: &str, depends_on: &[&str]) -> bool {
        let problem = Problem {
            pointer: pointer.to_owned(),
            severity: Severity::Error,
            message: "m".to_owned(),
            allowed: Vec::new(),
            hint: None,
            about_key: false,
            depends_on: depends_on.iter().map(|pointer| (*pointer).to_owned()).collect(),
        };
        gaps.may_explain(&problem, &places())
    }

    #[test]
    fn an_unknown_value_explains_what_is_said_of_it_around_it_and_within() {
        let mut gaps = Gaps::default();
        gaps.value("/a/b");
        let table = ["/a", "/a/b", "/a/b/c", "/a/bc", "/a/c", "/d"].map(|at| may_explain(&gaps, at, &[]));
        assert_eq!(table, [true, true, true, false, false, false]);
        assert!(may_explain(&gaps, "/d", &["/a/b"]));
        let mut gaps = Gaps::default();
        gaps.value("/a/-");
        let table = ["/a", "/a/b", "/a/-"].map(|at| may_explain(&gaps, at, &[]));
        assert_eq!(table, [true, false, true]);
    }

    #[test]
    fn a_stranger_explains_what_is_missing_beside_it_and_its_own_name_elsewhere() {
        let mut gaps = Gaps::default();
        gaps.stranger("/a", "x");
        let pointers = ["/a", "/a/b", "/a/missing", "/a/b/x", "/x", "/other"];
        let table = pointers.map(|at| may_explain(&gaps, at, &[]));
        assert_eq!(table, [true, false, true, true, true, false]);
    }
}
