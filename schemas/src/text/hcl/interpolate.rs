//! Templates to text: literals, interpolations and directives in order.

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Interpolation, Template};

use super::evaluate::{Evaluated, Evaluator, MAX_TEXT_BYTES, Scope, Unbound, bind};
use super::template::{Literals, Quoting, literals};
use super::traversal::static_reference;
use super::value::Value;
use crate::text::diagnostic::Diagnostic;

impl Evaluator<'_> {
    /// A template. One that is a single interpolation has the value of that expression; all others are text.
    pub(super) fn template(&self, template: &Template, quoting: Quoting, scope: &Scope<'_>) -> Evaluated {
        let span = template.span().unwrap_or_default();
        // Its literals are read again for each round of a loop around it, whether they are used or not.
        self.spend(span.len(), &span)?;
        let literals = literals(self.source, template, quoting)?;
        if let Some(Element::Interpolation(interpolation)) = template.as_single_element() {
            return match self.verbatim(interpolation, scope) {
                Some(text) => Ok(Value::Text(text)),
                None => self.value(&interpolation.expr, scope),
            };
        }
        let mut out = String::new();
        self.elements(template, &literals, scope, &mut out)?;
        Ok(Value::Text(out))
    }

    fn elements(
        &self,
        template: &Template,
        literals: &Literals,
        scope: &Scope<'_>,
        out: &mut String,
    ) -> Result<(), Diagnostic> {
        for element in template {
            match element {
                Element::Literal(literal) => {
                    let start = literal.span().unwrap_or_default().start;
                    out.push_str(literals.get(&start).map_or("", String::as_str));
                }
                Element::Interpolation(interpolation) => {
                    out.push_str(&self.interpolated(interpolation, scope)?);
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => self.if_directive(directive, literals, scope, out)?,
                    Directive::For(directive) => self.for_directive(directive, literals, scope, out)?,
                },
            }
            if out.len() > MAX_TEXT_BYTES {
                let span = element.span().unwrap_or_default();
                return Err(self.source.error(&span, format!("a text of more than {MAX_TEXT_BYTES} bytes")));
            }
        }
        Ok(())
    }

    fn interpolated(&self, interpolation: &Interpolation, scope: &Scope<'_>) -> Result<String, Diagnostic> {
        if let Some(text) = self.verbatim(interpolation, scope) {
            return Ok(text);
        }
        let value = self.value(&interpolation.expr, scope)?;
        value.to_text().ok_or_else(|| {
            self.error(&interpolation.expr, format!("{} cannot stand in a string", value.kind()))
                .hint("use `join`, `jsonencode` or a conditional")
        })
    }

    /// The text of `${…}` itself where it holds nothing but a reference that nobody has bound.
    fn verbatim(&self, interpolation: &Interpolation, scope: &Scope<'_>) -> Option<String> {
        if self.unbound == Unbound::Refuse {
            return None;
        }
        let reference = static_reference(&interpolation.expr)?;
        if scope.knows(&reference) {
            return None;
        }
        self.doubt(&reference, &self.span(&interpolation.expr));
        let whole = self.source.slice(&interpolation.span()?);
        Some(whole.replacen("${~", "${", 1).replace("~}", "}"))
    }

    fn if_directive(
        &self,
        directive: &IfDirective,
        literals: &Literals,
        scope: &Scope<'_>,
        out: &mut String,
    ) -> Result<(), Diagnostic> {
        let condition = self.value(&directive.if_expr.cond_expr, scope)?;
        let condition = condition
            .to_bool()
            .ok_or_else(|| self.error(&directive.if_expr.cond_expr, "the condition must be true or false"))?;
        match (condition, &directive.else_expr) {
            (true, _) => self.elements(&directive.if_expr.template, literals, scope, out),
            (false, Some(otherwise)) => self.elements(&otherwise.template, literals, scope, out),
            (false, None) => Ok(()),
        }
    }

    fn for_directive(
        &self,
        directive: &ForDirective,
        literals: &Literals,
        scope: &Scope<'_>,
        out: &mut String,
    ) -> Result<(), Diagnostic> {
        let intro = &directive.for_expr;
        for (key, value) in self.pairs(&intro.collection_expr, scope)? {
            self.step(&self.span(&intro.collection_expr))?;
            let names = bind(intro.key_var.as_deref(), &intro.value_var, key, value);
            self.elements(&intro.template, literals, &scope.within(&names), out)?;
        }
        Ok(())
    }
}
