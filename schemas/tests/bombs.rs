//! Short texts that ask for much: each is answered, with little work.
//!
//! What is measured is the processor's time for this thread, so that a busy machine changes nothing. The limit is that
//! of a debug build; what these texts ask for takes hours or all memory.

use std::ops::Range;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use schemas::text::{Format, Options, Source, job, render};

/// What one text may take of a processor.
const MOST_WORK: Duration = Duration::from_secs(20);
/// What may be said about one text.
const MOST_SAID_BYTES: usize = 256 * 1024;

/// Something is said about a text, not too much of it, and without much work.
#[track_caller]
fn answered(name: &str, format: Format, text: String) {
    assert!(text.len() <= schemas::limits::DOCUMENT_BYTES, "{name} is refused for its length alone");
    let source = Source::new(name, text);
    let began = work();
    let read = job(&source, &Options { format: Some(format), ..Options::default() });
    let took = work().saturating_sub(began);
    let said = read.map_or_else(|errors| render(&errors, &source), |_| "taken".to_owned());
    assert!(took < MOST_WORK, "{name} took {took:?} of a processor");
    assert!(said.len() < MOST_SAID_BYTES, "{name}: {} bytes are said", said.len());
}

/// What this thread has had of a processor so far.
fn work() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// A job whose task has this in its configuration, and this before it.
fn hcl(before: &str, config: &str) -> String {
    format!(
        "{before}\njob \"a\" {{ \n group \"g\" {{ \n task \"t\" {{ \n driver = \"raw_exec\" \n config {{ \n {config} \n }} \n }} \n }} \n }}\n"
    )
}

/// Many texts, one after the other.
fn many(numbers: Range<usize>, one: impl Fn(usize) -> String) -> String {
    numbers.map(one).collect()
}

fn answer_all<const N: usize>(format: Format, rows: [(&str, String); N]) {
    for (name, text) in rows {
        answered(name, format, text);
    }
}

const MEGABYTE: usize = 1024 * 1024 - 1024;

#[test]
fn values_that_grow() {
    let doubling: String =
        many(1..40, |n| format!("l{n} = \"${{local.l{}}}${{local.l{}}}\"\n", n - 1, n - 1));
    let literal = "x".repeat(500_000);
    answer_all(
        Format::Hcl,
        [
            (
                "text that doubles",
                hcl(&format!("locals {{\nl0 = \"{}\"\n{doubling}}}", "x".repeat(1000)), "a = local.l39"),
            ),
            (
                "literal never used in a loop",
                hcl(
                    "",
                    &format!(
                        "a = [for i in range(1000) : [for j in range(1000) : \"%{{ if false }}{literal}%{{ endif }}\"]]"
                    ),
                ),
            ),
            (
                "large local, small member",
                hcl(
                    &format!(
                        "locals {{\n big = {{ x = [for i in range(1000) : \"{}\"], y = 1 }}\n}}",
                        "x".repeat(10_000)
                    ),
                    "a = [for i in range(1000) : [for j in range(1000) : local.big.y]]",
                ),
            ),
            (
                "dynamic in dynamic",
                hcl(
                    "",
                    "dynamic \"a\" {\n for_each = range(1000)\n content {\n dynamic \"b\" {\n for_each = range(1000)\n content {\n dynamic \"c\" {\n for_each = range(1000)\n content {}\n }\n }\n }\n }\n }",
                ),
            ),
            (
                "both sides of conditions",
                hcl(
                    &format!(
                        "locals {{\nc0 = 1\n{}}}",
                        many(1..60, |n| format!("c{n} = true ? local.c{} : local.c{}\n", n - 1, n - 1))
                    ),
                    "a = local.c59",
                ),
            ),
        ],
    );
}

#[test]
fn expressions_that_are_slow() {
    answer_all(
        Format::Hcl,
        [
            (
                "expressions that become large",
                hcl("", "a = [for i in range(1000) : regex_replace(\"aaaa\", \"(\\\\w{100}){10}\", \"\")]"),
            ),
            (
                "slow classes",
                hcl(
                    "",
                    &format!(
                        "a = [for i in range(1000) : regex_replace(\"${{i}}\", \"(?i){}${{i}}\", \"\")]",
                        "[\\\\pL\\\\w\\\\d]".repeat(80)
                    ),
                ),
            ),
            (
                "ever new expressions",
                hcl(
                    "",
                    &format!(
                        "a = [for i in range(1000) : regex_replace(\"a\", \"[{}]${{i}}\", \"\")]",
                        "\\\\pL\\\\w".repeat(30)
                    ),
                ),
            ),
        ],
    );
}

#[test]
fn functions_of_much() {
    answer_all(
        Format::Hcl,
        [
            (
                "sets of letters",
                hcl(
                    &format!("locals {{\n a = split(\"\", \"{}\")\n}}", "ab".repeat(200_000)),
                    "a = length(setintersection(local.a, reverse(local.a)))",
                ),
            ),
            (
                "contains in a loop",
                hcl(
                    &format!("locals {{\n a = split(\"\", \"{}\")\n}}", "a".repeat(200_000)),
                    "a = [for x in local.a : contains(local.a, \"b\")]",
                ),
            ),
            (
                "csv with a long header",
                hcl(
                    &format!(
                        "locals {{\n csv = \"{}\\n{}\"\n}}",
                        "h".repeat(400_000),
                        "a\\n".repeat(200_000)
                    ),
                    "a = csvdecode(local.csv)",
                ),
            ),
            (
                "json in json in json",
                hcl(
                    &format!("locals {{\n t = \"{}\"\n}}", "\\\"".repeat(400_000)),
                    "a = jsonencode(jsonencode(jsonencode(jsonencode(local.t))))",
                ),
            ),
            ("json of many maps", hcl("", &format!("a = jsondecode(\"[{}{{}}]\")", "{},".repeat(300_000)))),
            (
                "yaml of many keys",
                hcl("", &format!("a = yamldecode(\"{}\")", many(0..90_000, |n| format!("a{n:05}: 1\\n")))),
            ),
            ("yaml in one line", hcl("", &format!("a = yamldecode(\"[{}]\")", "a,".repeat(100_000)))),
            (
                "yaml aliases",
                hcl(
                    "",
                    "a = yamldecode(\"a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\\n\")",
                ),
            ),
        ],
    );
}

#[test]
fn much_of_one_kind() {
    let literal = "x".repeat(500_000);
    let keys: String = many(0..1_990, |n| format!("k{n:06}=1,\n"));
    let attributes: String = many(0..MEGABYTE / 10, |n| format!("k{n:05}=1\n"));
    let long_key = format!("a = {{ \"{literal}\" = [{}] }}", "1,".repeat(100_000));
    answer_all(
        Format::Hcl,
        [
            ("maps of many keys", hcl("", &format!("a = [{}]", format!("{{\n{keys}}},").repeat(20)))),
            ("a map of too many keys", hcl("", &format!("a = {{\n{}}}", keys.repeat(20)))),
            ("many attributes", hcl("", &attributes)),
            ("many blocks", hcl("", &"b {}\n".repeat(MEGABYTE / 20))),
            ("a long key over many values", hcl("", &long_key)),
            ("many mistakes in one line", hcl("", &format!("a = [{}]", "nope(),".repeat(MEGABYTE / 7)))),
            (
                "many misses",
                hcl(
                    &format!("locals {{\n m = {{\n{}}}\n}}", many(0..50_000, |n| format!("k{n:06}=1,\n"))),
                    "a = [for i in range(1000) : can(local.m.x)]",
                ),
            ),
            (
                "blanks behind a word",
                hcl(
                    "",
                    &format!("a = [for i in range(1000) : [for j in range(100) : i{}]]", " ".repeat(500_000)),
                ),
            ),
        ],
    );
}

#[test]
fn what_nests() {
    let nest = |open: &str, middle: &str, close: &str| {
        format!("a = {}{middle}{}", open.repeat(60), close.repeat(60))
    };
    answer_all(
        Format::Hcl,
        [
            ("parentheses", hcl("", &nest("(", "1", ")"))),
            ("lists", hcl("", &nest("[", "1", "]"))),
            ("maps", hcl("", &nest("{a=", "1", "}"))),
            ("calls", hcl("", &nest("upper(", "\"a\"", ")"))),
            ("templates", hcl("", &nest("\"${", "1", "}\""))),
            ("fors", hcl("", &nest("[for a in [1] : ", "1", "]"))),
            ("fors over fors", hcl("", &nest("[for a in ", "[1]", " : a]"))),
            ("conditions", hcl("", &nest("true ? (", "1", ") : 0"))),
            ("nots", hcl("", &nest("!", "true", ""))),
            ("indexes", hcl("", &nest("[1][", "0", "]"))),
        ],
    );
}

#[test]
fn what_does_not_end() {
    answer_all(
        Format::Hcl,
        [
            ("many open brackets", hcl("", &"[".repeat(MEGABYTE))),
            ("many open braces", "a {\n".repeat(MEGABYTE / 4)),
            ("many open templates", hcl("", &format!("a = {}", "\"${".repeat(MEGABYTE / 3)))),
            ("one long line of nothing", hcl("", &format!("a = \"{}", "b".repeat(MEGABYTE)))),
            ("heredocs that do not end", hcl("", &"a = <<E\n".repeat(MEGABYTE / 8))),
            ("comments that do not end", hcl("", &"/*".repeat(MEGABYTE / 2))),
            ("zero bytes and marks", hcl("", "a = \"\\u0000\\ufeff\"")),
        ],
    );
}

/// A YAML job with this below its task's configuration.
fn yaml(config: &str) -> String {
    format!(
        "apiVersion: encamp.dev/v1\nkind: Job\nmetadata: {{name: a}}\nspec:\n  groups:\n  - name: g\n    tasks:\n    - name: t\n      driver: raw_exec\n      config: {config}\n"
    )
}

#[test]
fn documents() {
    let keys: String = many(0..80_000, |n| format!("a{n:05}: 1, "));
    let rows = [
        ("a map of many keys", yaml(&format!("{{{keys}}}"))),
        ("one line", yaml(&format!("[{}]", "a,".repeat(MEGABYTE / 2)))),
        ("empty maps", yaml(&format!("[{}]", "{},".repeat(MEGABYTE / 3)))),
        (
            "empty groups",
            format!(
                "apiVersion: encamp.dev/v1\nkind: Job\nmetadata: {{name: a}}\nspec: {{groups: [{}]}}\n",
                "{},".repeat(MEGABYTE / 3)
            ),
        ),
        (
            "a long key over many values",
            yaml(&format!("{{\"{}\": [{}]}}", "k".repeat(500_000), "1,".repeat(200_000))),
        ),
        (
            "merges",
            yaml(&format!(
                "\n        x: &x {{{}}}\n        y: {{{}}}",
                many(0..9_000, |n| format!("a{n:05}: 1, ")),
                "<<: *x, ".repeat(50)
            )),
        ),
        ("lists in lists", yaml(&"[".repeat(MEGABYTE))),
        ("keys of keys", yaml(&"? ".repeat(MEGABYTE / 2))),
        ("tags", yaml(&"!a ".repeat(MEGABYTE / 3))),
        ("anchors", yaml(&format!("[{}]", many(0..80_000, |n| format!("&a{n:05} 1,"))))),
        ("documents", "---\na: 1\n".repeat(MEGABYTE / 9)),
        ("mistakes", yaml(&format!("[{}]", ".inf,".repeat(MEGABYTE / 5)))),
    ];
    answer_all(Format::Yaml, rows);
    let head = "{\"apiVersion\":\"encamp.dev/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"a\"},\"spec\":{";
    let rows = [
        ("json: empty groups", format!("{head}\"groups\":[{}{{}}]}}}}", "{},".repeat(MEGABYTE / 3 - 100))),
        (
            "json: unknown fields",
            format!("{head}{}\"x\":1}}}}", many(0..80_000, |n| format!("\"a{n:05}\":1,"))),
        ),
        (
            "json: long key",
            format!("{head}\"meta\":{{\"{}\":[{}1]}}}}}}", "k".repeat(500_000), "1,".repeat(200_000)),
        ),
        ("json: open", "[".repeat(MEGABYTE)),
        ("json: two jobs", format!("{head}\"groups\":[]}}}}{}", " ".repeat(MEGABYTE / 2))),
    ];
    answer_all(Format::Json, rows);
    let small = serde_json::from_str::<serde_json::Value>("{}").unwrap();
    assert_eq!(schemas::limits::excess(&small), None);
}
