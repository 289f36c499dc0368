//! What job files of Nomad's users say, and means something there.

use schemas::text::{self, Options, ParsedJob, Source};

fn read(text: &str) -> Result<ParsedJob, String> {
    let source = Source::new("web.hcl", text);
    text::job(&source, &Options::default()).map_err(|errors| text::render(&errors, &source))
}

fn warned(job: &ParsedJob) -> Vec<&str> {
    job.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

/// A job of two tasks, each with the network of its own that was usual once.
fn two_tasks(first: &str, second: &str) -> String {
    let task = |name: &str, more: &str| {
        format!(
            "task \"{name}\" {{\n driver = \"docker\"\n config {{\n image = \"x\"\n port_map {{ http = 80 }}\n }}\n\
             resources {{\n network {{\n port \"http\" {{ {more} }}\n }}\n }}\n\
             service {{\n name = \"svc{}\"\n port = \"http\"\n provider = \"nomad\"\n\
             check {{\n type = \"tcp\"\n port = \"http\"\n interval = \"9s\"\n timeout = \"2s\"\n }}\n }}\n}}\n",
            name.len()
        )
    };
    format!("job \"web\" {{\n group \"g\" {{\n{}{}}}\n}}\n", task("a", first), task("b.2", second))
}

#[test]
fn two_tasks_may_call_their_ports_the_same() {
    let job = read(&two_tasks("", "static = 8080")).unwrap().job;
    let group = &job.spec.groups[0];
    let ports: Vec<_> =
        group.networks[0].ports.iter().map(|port| (port.label.as_str(), port.static_port, port.to)).collect();
    assert_eq!(ports, [("http", None, Some(80)), ("b_2_http", Some(8080), Some(80))]);
    let [first, second] = &group.tasks[..] else { panic!("two tasks") };
    for (task, port) in [(first, "http"), (second, "b_2_http")] {
        assert_eq!(task.config["ports"], serde_json::json!([port]), "{}", task.name);
        assert_eq!(task.services[0].port.as_deref(), Some(port), "{}", task.name);
        assert_eq!(task.services[0].checks[0].port.as_deref(), Some(port), "{}", task.name);
    }
    assert!(first.env.is_empty());
    assert_eq!(second.env["NOMAD_PORT_http"], "${NOMAD_PORT_b_2_http}");
    assert_eq!(second.env["NOMAD_ADDR_http"], "${NOMAD_ADDR_b_2_http}");
    let one = "job \"web\" {\n group \"g\" {\n task \"a\" {\n driver = \"docker\"\n config { image = \"x\" }\n\
        resources {\n network {\n port \"p\" {}\n port \"p\" {}\n }\n }\n }\n }\n}\n";
    assert!(read(one).unwrap_err().contains("there are two ports named `p`"), "one task still has each once");
}

#[test]
fn a_job_may_be_called_otherwise_than_it_is_known() {
    let body = "group \"g\" {\n task \"t\" {\n driver = \"docker\"\n config { image = \"x\" }\n }\n }\n}\n";
    let named = |more: &str| read(&format!("job \"x\" {{\n{more}\n{body}"));
    let table = [
        ("", "x", None),
        ("name = \"x\"", "x", None),
        ("name = \"Y\"", "x", Some("Y")),
        ("id = \"z\"", "z", Some("x")),
        ("name = \"Y\"\nid = \"z\"", "z", Some("Y")),
        ("id = \"z\"\nname = \"z\"", "z", None),
    ];
    for (more, name, title) in table {
        let read = named(more).unwrap();
        let annotations = &read.job.metadata.annotations;
        assert_eq!(read.job.metadata.name, name, "{more}");
        assert_eq!(annotations.get("encamp.dev/title").map(String::as_str), title, "{more}");
        assert_eq!(warned(&read).is_empty(), title.is_none(), "{more}: what is meant otherwise is told");
    }
    let kept = named("name = \"Y\"\nannotations { a = \"b\" }").unwrap().job.metadata.annotations;
    assert_eq!(kept.keys().map(String::as_str).collect::<Vec<_>>(), ["a", "encamp.dev/title"]);
    assert!(named("name = [1]").unwrap_err().contains("`name` must be a string, not a list"));
    let json = r#"{"Job": {"ID": "x", "Name": "Y", "TaskGroups": [{"Name": "g", "Tasks": [
        {"Name": "t", "Driver": "docker", "Config": {"image": "x"}}]}]}}"#;
    let source = Source::new("web.json", json);
    let read = text::job(&source, &Options::default()).unwrap();
    assert_eq!(read.job.metadata.annotations["encamp.dev/title"], "Y");
}

#[test]
fn arguments_of_a_plugin_may_stand_beside_a_bridge() {
    let text = |mode: &str| {
        format!(
            "job \"x\" {{\n group \"g\" {{\n network {{\n mode = \"{mode}\"\n cni {{\n args = {{ a = \"b\" }}\n }}\n }}\n\
             task \"t\" {{\n driver = \"docker\"\n config {{ image = \"x\" }}\n }}\n }}\n}}\n"
        )
    };
    for mode in ["bridge", "cni/net"] {
        let text = text(mode);
        let checked = text::jobs(&Source::new("web.hcl", text.as_str()), &Options::default());
        assert_eq!(checked.errors, [], "{mode}");
        let unbuilt: Vec<&str> = checked.unbuilt.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(unbuilt, ["Own networks of allocations are not built: use `host`."], "{mode}");
    }
    assert!(read(&text("host")).unwrap_err().contains("need mode `bridge` or `cni/<name>`"));
}

#[test]
fn a_name_holds_no_letter_that_nobody_sees() {
    for (text, what) in [
        ("job \"a\u{202e}b\" {\n group \"g\" {\n task \"t\" {\n", "job"),
        ("job \"a\" {\n group \"g\u{200b}\" {\n task \"t\" {\n", "group"),
        ("job \"a\" {\n group \"g\" {\n task \"\u{feff}t\" {\n", "task"),
    ] {
        let text = format!("{text} driver = \"docker\"\n config {{ image = \"x\" }}\n }}\n }}\n}}\n");
        let told = read(&text).unwrap_err();
        assert!(
            told.contains(&format!("the name of the {what} holds a letter that nobody sees, U+")),
            "{told}"
        );
    }
}

#[test]
fn half_an_instance_is_told_as_it_was_written() {
    let text = "job \"a\" {\n group \"g\" {\n count = 2.5\n task \"t\" {\n driver = \"docker\"\n config {\n\
        image = \"x\"\n pids_limit = 1.5\n }\n }\n }\n}\n";
    let told = read(text).unwrap_err();
    assert!(told.contains("`count` must be a whole number, not 2.5"), "{told}");
    assert!(told.contains("`pids_limit` must be a whole number, not 1.5"), "{told}");
}
