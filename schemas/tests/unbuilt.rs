//! A well-formed job that asks for what is not built is told so at its lines, before a server is asked.

use schemas::text::{self, Options, Source};

#[test]
fn what_is_not_built_is_told_where_it_is_asked_for() {
    let text = "job \"web\" {\n  update {\n    canary = 1\n  }\n  group \"g\" {\n    service {\n      provider = \"consul\"\n    }\n    task \"t\" {\n      driver = \"java\"\n      config { jar_path = \"a.jar\" }\n    }\n  }\n}\n";
    let source = Source::new("web.hcl", text);
    let checked = text::jobs(&source, &Options::default());
    assert_eq!((&checked.names[..], checked.errors.len()), (&["web".to_owned()][..], 0));
    assert!(!checked.is_taken());
    insta::assert_snapshot!(text::render(&checked.unbuilt, &source), @r#"
    error: Canaries are not built.
      --> web.hcl:3:14
      |
    3 |     canary = 1
      |              ^

    error: The java driver is not built.
      --> web.hcl:10:16
       |
    10 |       driver = "java"
       |                ^^^^^^
    "#);
    insta::assert_snapshot!(text::render(&checked.warnings, &source), @r#"
    warning: Consul is not contacted, and services are not registered elsewhere yet: only their checks are run.
      --> web.hcl:7:18
      |
    7 |       provider = "consul"
      |                  ^^^^^^^^
    "#);
}
