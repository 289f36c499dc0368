//! Variables, several documents in one file, texts that mean harm, and texts that mean nothing.

use proptest::prelude::*;
use schemas::text::{self, Format, Options, Source};

/// The job of a text in YAML with everything that is said about it, or only what is said if it is refused.
fn read(name: &str, text: &str, options: &Options) -> String {
    let source = Source::new(name, text);
    match text::job(&source, options) {
        Ok(parsed) => format!("{}{}", text::render(&parsed.warnings, &source), text::to_yaml(&parsed.job)),
        Err(errors) => text::render(&errors, &source),
    }
}

const VARIABLES: &str = r#"
variable "image" {
  type    = string
  default = "nginx"
}
variable "ports" {
  type    = map(number)
  default = { http = 80 }
}
variable "count" {
  type = number
}
locals {
  full = "${var.image}:${local.tag}"
  tag  = "1.27"
}
job "vars" {
  group "g" {
    count = var.count
    network {
      dynamic "port" {
        for_each = var.ports
        labels   = [port.key]
        content {
          to = port.value
        }
      }
    }
    task "t" {
      driver = "docker"
      config {
        image = local.full
        ports = [for name, _ in var.ports : name]
      }
      env {
        NAMES = join(",", keys(var.ports))
        ID    = "${NOMAD_ALLOC_ID}-${upper(var.image)}"
      }
    }
  }
}
"#;

#[test]
fn variables_come_from_the_environment_then_files_then_the_command_line() {
    let mut options = Options::default();
    insta::assert_snapshot!(read("vars.hcl", VARIABLES, &options), @r#"
    error: the variable `count` has no value
      --> vars.hcl:10:10
       |
    10 | variable "count" {
       |          ^^^^^^^
      help: give one with `-var count=…`, ENCAMP_VAR_count or a `default`
    "#);
    options.env.insert("NOMAD_VAR_count".into(), "2".into());
    options.env.insert("NOMAD_VAR_image".into(), "from-env".into());
    options.env.insert("ENCAMP_VAR_ports".into(), "{ a = 1, b = 2 }".into());
    insta::assert_snapshot!(read("vars.hcl", VARIABLES, &options), @r#"
    apiVersion: encamp.dev/v1
    kind: Job
    metadata:
      name: vars
    spec:
      groups:
        - name: g
          count: 2
          networks:
            - ports:
                - label: a
                  to: 1
                - label: b
                  to: 2
          tasks:
            - name: t
              driver: docker
              config:
                image: "from-env:1.27"
                ports:
                  - a
                  - b
              env:
                ID: "${NOMAD_ALLOC_ID}-FROM-ENV"
                NAMES: "a,b"
    "#);
    options.var_files.push(Source::new("one.vars", "image = \"from-file\"\ncount = 5\n"));
    options.variables.insert("count".into(), "7".into());
    let said = read("vars.hcl", VARIABLES, &options);
    assert!(said.contains("from-file:1.27") && said.contains("count: 7"), "{said}");
    options.variables.insert("cuont".into(), "7".into());
    options.var_files.push(Source::new("two.vars", "imgae = \"x\"\nports = 5\n"));
    insta::assert_snapshot!(read("vars.hcl", VARIABLES, &options), @"
    error: a value is given for the variable `cuont`, which is not declared
      allowed: count, image, ports
      help: did you mean `count`?

    error: a value is given for the variable `imgae`, which is not declared
      --> two.vars:1:1
      allowed: count, image, ports
      help: did you mean `image`?

    error: the value of `ports` does not fit: a map is needed, not a number
      --> two.vars:2:1
    ");
    options.ignore_undeclared = true;
    options.var_files.pop();
    assert!(read("vars.hcl", VARIABLES, &options).contains("count: 7"));
}

#[test]
fn yaml_has_anchors_and_several_documents() {
    let text = "apiVersion: encamp.dev/v1\nkind: Job\nmetadata: {name: a}\nspec:\n  groups:\n    - &base\n      name: one\n      tasks: [{name: t, driver: exec, config: {command: /bin/true}}]\n    - <<: *base\n      name: two\n";
    insta::assert_snapshot!(read("a.yaml", text, &Options::default()), @"
    apiVersion: encamp.dev/v1
    kind: Job
    metadata:
      name: a
    spec:
      groups:
        - name: one
          tasks:
            - name: t
              driver: exec
              config:
                command: /bin/true
        - name: two
          tasks:
            - name: t
              driver: exec
              config:
                command: /bin/true
    ");
    let both = format!(
        "{text}---\napiVersion: encamp.dev/v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n# nothing\n"
    );
    let source = Source::new("both.yaml", both.as_str());
    let parsed = text::parse_file(&source, &Options::default()).expect("both can be read");
    let kinds: Vec<&str> = parsed.documents.iter().map(|document| document.kind.as_str()).collect();
    assert_eq!(kinds, ["Job", "Namespace"]);
    insta::assert_snapshot!(read("both.yaml", &both, &Options::default()), @"
    error: one job is expected, and here a second document begins
      --> both.yaml:12:1
       |
    12 | apiVersion: encamp.dev/v1
       | ^^^^^^^^^^^^^^^^^^^^^^^^^
      help: apply a file of several documents with `apply`
    ");
}

#[test]
fn bombs_are_refused() {
    let levels: Vec<String> = (1..12)
        .map(|level| {
            let before = format!("*a{}", level - 1);
            format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "))
        })
        .collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", levels.concat());
    assert!(read("bomb.yaml", &bomb, &Options::default()).contains("aliases copy more than"));
    let long = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(100_000), "*a,".repeat(50));
    assert!(read("long.yaml", &long, &Options::default()).contains("1048576 bytes of text"));
    let flow = read("deep.yaml", &"[".repeat(50_000), &Options::default());
    assert!(flow.contains("64 levels"), "{flow}");
    assert!(read("deep.yaml", &"- ".repeat(10_000), &Options::default()).contains("64 levels"));
    assert!(read("deep.json", &"{\"a\":".repeat(50_000), &Options::default()).contains("64 levels"));
    assert!(read("deep.hcl", &"a {\n".repeat(50_000), &Options::default()).contains("64 levels"));
    let large = format!("# {}\n", "x".repeat(text::MAX_BYTES));
    assert!(read("large.hcl", &large, &Options::default()).contains("at most 1048576 are read"));
    let chain: Vec<String> = (0..500).map(|n| format!("  l{n} = local.l{}\n", n + 1)).collect();
    let chain = format!("locals {{\n{}  l500 = 1\n}}\njob \"a\" {{}}\n", chain.concat());
    assert!(read("chain.hcl", &chain, &Options::default()).contains("levels deep"));
    let doubled = |start: &str, again: fn(usize) -> String| {
        let lines: Vec<String> = (1..64).map(|n| format!("  l{n:02} = {}\n", again(n - 1))).collect();
        let text = format!("locals {{\n  l00 = {start}\n{}}}\njob \"a\" {{}}\n", lines.concat());
        read("doubled.hcl", &text, &Options::default())
    };
    let texts = doubled("\"x\"", |n| format!("\"${{local.l{n:02}}}${{local.l{n:02}}}\""));
    assert!(texts.contains("a text of more than 1048576 bytes"), "{texts}");
    let lists = doubled("[1]", |n| format!("[local.l{n:02}, local.l{n:02}]"));
    assert!(lists.contains("take more than 33554432 bytes"), "{lists}");
}

proptest! {
    #[test]
    fn reading_never_panics(text in "(\\PC|[\n\t{}\\[\\]\"=:$<,#-]){0,80}", format in 0..3_usize) {
        let format = [Format::Hcl, Format::Yaml, Format::Json][format];
        let source = Source::new("any", text);
        let options = Options { format: Some(format), ..Options::default() };
        if let Err(errors) = text::job(&source, &options) {
            prop_assert!(!text::render(&errors, &source).is_empty());
        }
    }

    #[test]
    fn mutilated_jobs_never_panic(at in 0..VARIABLES.len(), length in 0..40_usize, put in "[{}\"=\n$%<]{0,3}") {
        let mut text = VARIABLES.to_owned();
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &put);
        let source = Source::new("vars.hcl", text);
        if let Err(errors) = text::job(&source, &Options::default()) {
            prop_assert!(errors.iter().all(|error| error.range.line > 0 || error.file.is_empty()));
            prop_assert!(!text::render(&errors, &source).is_empty());
        }
        if let Ok(tidy) = text::format_hcl(&source) {
            let again = text::format_hcl(&Source::new("vars.hcl", tidy.as_str()));
            prop_assert_eq!(again.as_ref(), Ok(&tidy));
        }
    }
}

/// Files by path; the name of the text is put before relative ones, to see that it arrives.
#[derive(Debug)]
struct Shelf(&'static [(&'static str, &'static [u8])]);

impl text::Files for Shelf {
    fn read(&self, text: &str, path: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| *name == format!("{text}:{path}"));
        found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| format!("there is no `{path}`"))
    }

    fn exists(&self, text: &str, path: &str) -> bool {
        self.read(text, path).is_ok()
    }
}

#[test]
fn files_are_read_where_they_are_offered_and_nowhere_else() {
    let text = r#"
job "files" {
  meta {
    text    = file("motd.txt")
    bytes   = filebase64("icon")
    there   = fileexists("motd.txt")
    absent  = fileexists("nothing")
    instead = try(file("nothing"), "none")
    folder  = dirname("conf/../etc/app.conf")
    name    = basename("etc/app.conf")
  }
  group "g" {
    task "t" {
      driver = "exec"
      config { command = "/bin/true" }
    }
  }
}
"#;
    let shelf = Shelf(&[("job.hcl:motd.txt", b"hello ${node.class}\n"), ("job.hcl:icon", b"\xff\x00")]);
    let offered = Options { files: Some(std::sync::Arc::new(shelf)), ..Options::default() };
    let said = read("job.hcl", text, &offered);
    let meta = said.split("  meta:\n").nth(1).unwrap_or(&said);
    insta::assert_snapshot!(meta, @r#"
    absent: "false"
    bytes: /wA=
    folder: etc
    instead: none
    name: app.conf
    text: "hello ${node.class}\n"
    there: "true"
    "#);
    let broken =
        text.replace("\"motd.txt\"", "\"icon\"").replace("filebase64(\"icon\")", "file(\"nothing\")");
    let said = read("job.hcl", &broken, &offered);
    assert!(said.contains("file: `icon` is not UTF-8 text; `filebase64` reads any bytes"), "{said}");
    assert!(said.contains("file: there is no `nothing`"), "{said}");
    let refused = read("job.hcl", text, &Options::default());
    assert_eq!(
        refused.matches("is not available: a job is evaluated where your files are not").count(),
        4,
        "{refused}"
    );
}
