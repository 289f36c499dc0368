//! A password in a job: nobody reads it back, and what was read may be sent back.

use crate::{cluster::Cluster, kubectl::Kubectl};

const SECRET: &str = "s3cret-of-the-registry";

fn hcl(password: &str) -> String {
    format!(
        r#"
job "web" {{
  group "main" {{
    task "server" {{
      driver = "docker"
      config {{
        image = "registry.example/web:1"
        auth {{
          username = "reader"
          password = "{password}"
        }}
      }}
    }}
  }}
}}
"#
    )
}

/// By our command line and by kubectl's.
pub fn are_masked_and_kept(cluster: &Cluster) {
    cluster.apply("web", &hcl(SECRET));
    let other = cluster.write_job("other", &hcl("another-s3cret"));
    let reading: [&[&str]; 8] = [
        &["get", "job", "web", "-o", "yaml"],
        &["get", "jobversions", "-o", "json"],
        &["describe", "job", "web"],
        &["job", "inspect", "web"],
        &["job", "history", "-p", "web"],
        &["plan", &other],
        &["diff", &other],
        &["apply", "--dry-run=server", "-o", "yaml", &other],
    ];
    for words in reading {
        let answer = cluster.try_run(words);
        let told = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(!told.is_empty() && !told.contains("s3cret"), "{}: {told}", words.join(" "));
    }
    let changes = cluster.try_run(&["diff", &other]);
    assert_eq!(changes.status.code(), Some(1), "that the password would change is told");

    let read = cluster.path("read.yaml");
    std::fs::write(&read, cluster.run(&["get", "job", "web", "-o", "yaml"])).expect("it can be written");
    let read = read.to_str().expect("the path is plain text");
    cluster.run(&["apply", read]);
    let home = cluster.path("");
    let kubectl = Kubectl { address: cluster.api.address(), home: &home };
    std::fs::write(read, kubectl.run(&["get", "job.encamp.dev/web", "-o", "yaml"]))
        .expect("it can be written");
    kubectl.run(&["apply", "-f", read]);
    std::fs::write(read, kubectl.run(&["get", "job.encamp.dev/web", "-o", "yaml"]))
        .expect("it can be written");
    kubectl.run(&["replace", "-f", read]);
    let generation = ["get", "job", "web", "-o", "jsonpath={.metadata.generation}"];
    assert_eq!(cluster.run(&generation), "1", "nothing changed");
    // It is still the password: the file that has it changes nothing either.
    let dry = cluster.run(&["apply", "--dry-run", &cluster.write_job("again", &hcl(SECRET))]);
    assert!(dry.contains("unchanged"), "{dry}");

    let fresh = cluster.write_job("fresh", &hcl("<masked>").replace("job \"web\"", "job \"fresh\""));
    let refused = cluster.try_run(&["apply", &fresh]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("send the secret itself"), "{said}");
}
