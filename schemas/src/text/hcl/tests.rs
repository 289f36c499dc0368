//! Our evaluator against HashiCorp's: every expression of `tests/oracle/expressions.txt`.

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::evaluate::{Evaluated, Evaluator, Roots, Scope, Unbound};
use super::value::Value;
use crate::text::diagnostic::Diagnostic;
use crate::text::options::Options;
use crate::text::source::{Source, Span};

const VECTORS: &str = include_str!("../../../tests/hcl_vectors.json");

/// The same values as in `main.go`.
const VARIABLES: &str = r#"{"text":"hello","number":3,"flag":true,"list":["a","b","c"],"numbers":[3,1,2],
"empty":[],"map":{"x":1,"y":2},"objects":[{"n":"a","t":[{"p":1},{"p":2}]},{"n":"b","t":[{"p":3}]}],
"nothing":null}"#;

/// Where we mean to differ: expression, our answer, why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("length(var.map)", "2", "the original refuses objects that are no maps; here they are one thing"),
    ("{ a = 1, a = 2 }", "error: `a` stands twice", "a key that stands twice is a mistake"),
];

struct Variables(Value);

impl Roots for Variables {
    fn root(&self, _: &Evaluator<'_>, name: &str, _: &Span) -> Option<Evaluated> {
        (name == "var").then(|| Ok(self.0.clone()))
    }

    fn member(&self, _: &Evaluator<'_>, _: &str, _: &str, _: &Span) -> Option<Evaluated> {
        None
    }
}

fn evaluate(expression: &str, unbound: Unbound) -> Result<Json, Diagnostic> {
    let source = Source::new("test", format!("value = {expression}\n"));
    let body = super::syntax::parse(&source)?;
    let roots = Variables(Value::from_json(&serde_json::from_str(VARIABLES).unwrap()));
    let (options, said) = (Options::default(), RefCell::default());
    let evaluator = Evaluator::new(&source, &options, &roots, unbound, &said);
    let expression = &body.get_attribute("value").expect("the text begins with it").value;
    evaluator.value(expression, &Scope::EMPTY).map(|value| value.to_json())
}

fn shown(result: &Result<Json, Diagnostic>) -> String {
    result.as_ref().map_or_else(|error| format!("error: {}", error.message), Json::to_string)
}

fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-14
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn agrees_with_the_original_on_every_vector() {
    let vectors: Vec<serde_json::Map<String, Json>> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 300, "the vectors are there");
    let mut wrong = Vec::new();
    for vector in &vectors {
        let expression = vector["expression"].as_str().unwrap();
        let ours = evaluate(expression, Unbound::Refuse);
        if let Some((_, answer, _)) = DIFFERENT.iter().find(|(different, _, _)| *different == expression) {
            assert_eq!(shown(&ours), *answer, "{expression}");
            continue;
        }
        let agrees = match (vector.get("value"), &ours) {
            (Some(theirs), Ok(ours)) => same(theirs, ours),
            (None, Err(_)) => true,
            (Some(_), Err(_)) | (None, Ok(_)) => false,
        };
        if !agrees {
            let theirs =
                vector.get("value").unwrap_or(&vector.get("error").cloned().unwrap_or_default()).to_string();
            wrong.push(format!("{expression}\n  theirs {theirs}\n  ours   {}", shown(&ours)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}

#[test]
fn references_that_nobody_binds_are_kept_as_written() {
    let kept = |expression: &str| shown(&evaluate(expression, Unbound::Keep));
    assert_eq!(kept(r#""${attr.kernel.name}""#), r#""${attr.kernel.name}""#);
    assert_eq!(
        kept(r#""a ${NOMAD_META_x} ${  env["X"]  } b""#),
        r#""a ${NOMAD_META_x} ${  env[\"X\"]  } b""#
    );
    assert_eq!(kept(r#""${   root.  field[  "FOO"].5  }""#), r#""${   root.  field[  \"FOO\"].5  }""#);
    assert_eq!(kept("meta.x"), r#""meta.x""#);
    assert_eq!(kept(r#""${var.text} ${node.class}""#), r#""hello ${node.class}""#);
    assert_eq!(kept(r#"upper("${attr.x}")"#), r#""${ATTR.X}""#);
    assert_eq!(
        kept("<<EOT\n${NOMAD_PORT_http} {{ env \"X\" }}\nEOT\n"),
        r#""${NOMAD_PORT_http} {{ env \"X\" }}\n""#
    );
    assert_eq!(
        kept(r#"[for v in var.list : "${v}-${meta.y}"]"#),
        r#"["a-${meta.y}","b-${meta.y}","c-${meta.y}"]"#
    );
}

#[test]
fn functions_without_an_original_to_ask() {
    let table = [
        (r#"base64encode("hi <x>")"#, r#""aGkgPHg+""#),
        (r#"base64decode("aGkgPHg+")"#, r#""hi <x>""#),
        (r#"base64decode("!")"#, "error: base64decode: not base64: Invalid symbol 33, offset 0."),
        (r#"urlencode("a b/ü?")"#, r#""a+b%2F%C3%BC%3F""#),
        (r#"md5("hello")"#, r#""5d41402abc4b2a76b9719d911017c592""#),
        (r#"sha1("hello")"#, r#""aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d""#),
        (r#"sha256("")"#, r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#),
        (r#"uuidv5("dns", "www.terraform.io")"#, r#""a5008fae-b28c-5ba5-96cd-82b4c53552d6""#),
        (r#"cidrhost("10.12.127.0/20", 16)"#, r#""10.12.112.16""#),
        (r#"cidrhost("10.12.127.0/20", -1)"#, r#""10.12.127.255""#),
        (r#"cidrhost("fd00:fd12:3456:7890:00a2::/72", 34)"#, r#""fd00:fd12:3456:7890::22""#),
        (r#"cidrhost("10.0.0.0/30", 9)"#, "error: cidrhost: the prefix 30 has no host number 9"),
        (r#"cidrnetmask("172.16.0.0/12")"#, r#""255.240.0.0""#),
        (r#"cidrsubnet("172.16.0.0/12", 4, 2)"#, r#""172.18.0.0/16""#),
        (r#"cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)"#, r#""fd00:fd12:3456:7800:a200::/72""#),
        (
            r#"cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)"#,
            r#"["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]"#,
        ),
        (r#"index(["a", "b"], "b")"#, "1"),
        (r#"startswith("hello", "he")"#, "true"),
        ("alltrue([true, \"true\"])", "true"),
        ("sum([1, 2.5])", "3.5"),
        (
            "uuidv4()",
            "error: `uuidv4` is not available: a job that changes every time it is read can never be unchanged",
        ),
        ("uper(\"a\")", "error: there is no function `uper`"),
    ];
    for (expression, expected) in table {
        assert_eq!(shown(&evaluate(expression, Unbound::Refuse)), expected, "{expression}");
    }
}

#[test]
fn deep_and_wide_expressions_are_refused_without_harm() {
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(shown(&evaluate(&deep, Unbound::Refuse)).contains("64 levels"));
    let chain = format!("1{}", " + 1".repeat(5000));
    assert!(shown(&evaluate(&chain, Unbound::Refuse)).contains("levels"));
    let wide = "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]";
    assert!(shown(&evaluate(wide, Unbound::Refuse)).contains("steps"));
    let long = "[for a in range(1000) : [for b in range(1000) : b if false && false]]";
    assert!(shown(&evaluate(long, Unbound::Refuse)).contains("steps"));
}

#[test]
fn texts_that_would_fill_the_memory_are_not_made() {
    let large = format!("\"{}\"", "x\\n".repeat(50_000));
    let table = [
        format!("replace({large}, \"\", {large})"),
        format!("regex_replace({large}, \"x\", {large})"),
        format!("regex_replace({large}, \"[^$]*\", \"{}\")", "$0".repeat(1000)),
        format!("regexall(\"{}.{}\", {large})", "(".repeat(30), ")".repeat(30)),
        format!("join({large}, split(\"\", {large}))"),
        format!("indent(1000, {large})"),
        format!("format(\"{}\", {large})", "%[1]s".repeat(1000)),
        format!("formatlist(\"%s%s\", {large}, range(1000))"),
        format!("setproduct([{large}], range(1000), [{large}])"),
        format!("\"%{{ for i in range(1000) }}${{{large}}}%{{ endfor }}\""),
    ];
    for expression in table {
        let said = shown(&evaluate(&expression, Unbound::Refuse));
        assert!(said.starts_with("error: ") && said.contains("more than 1048576 bytes"), "{said:.300}");
    }
    let wide = format!("[for i in range(1000) : {large}]");
    assert!(shown(&evaluate(&wide, Unbound::Refuse)).contains("take more than 33554432 bytes"));
}

proptest! {
    #[test]
    fn evaluation_never_panics(expression in "[-a-z0-9 .,:?=!<>&|+*/%(){}\\[\\]\"$~\\\\\n]{0,60}") {
        drop(evaluate(&expression, Unbound::Keep));
    }

    #[test]
    fn calls_never_panic(
        name in prop::sample::select(vec!["substr", "format", "range", "slice", "cidrhost", "cidrsubnet",
            "formatdate", "chunklist", "element", "indent", "split", "regex", "parseint", "zipmap", "pow", "csvdecode"]),
        arguments in prop::collection::vec(prop::sample::select(vec!["-1", "0", "99999999999999999999", "1.5",
            "\"\"", "\"10.0.0.0/0\"", "\"%-9.9[9]d\"", "\"é\"", "[]", "[1, \"a\"]", "{}", "null", "true"]), 0..4),
    ) {
        drop(evaluate(&format!("{name}({})", arguments.join(", ")), Unbound::Refuse));
    }
}
