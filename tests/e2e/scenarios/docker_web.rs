//! A web service in containers.

use crate::{
    cluster::Cluster,
    docker::{self, Sweep},
    outside::ask,
    ports, wait,
};

/// One instance on a port the job file names.
pub async fn static_port(cluster: Cluster) {
    if !docker::is_available() {
        return;
    }
    docker::make_image(&cluster.path(""));
    let name = format!("static-{}", std::process::id());
    let _sweep = Sweep(&name);
    let port = ports::free();
    cluster.apply(&name, &hcl(&name, 1, &format!("static = {port}")));
    cluster.until_healthy(&name, 1).await;

    let allocations = cluster.api.allocations(&name).await.expect("the API answers");
    let address = allocations[0].address("http").expect("it has a port");
    assert!(address.ends_with(&format!(":{port}")), "{address} is not at the port that the job names");
    let answer = ask(&reqwest::Client::new(), &address).await;
    assert_eq!(answer.as_deref(), Ok("from a container"), "{}", cluster.last_words());
    until_deleted(&cluster, &name).await;
}

/// Three instances on one node, each on a port of its own.
pub async fn dynamic_ports(cluster: Cluster) {
    if !docker::is_available() {
        return;
    }
    docker::make_image(&cluster.path(""));
    let name = format!("dynamic-{}", std::process::id());
    let _sweep = Sweep(&name);
    cluster.apply(&name, &hcl(&name, 3, ""));
    cluster.until_healthy(&name, 3).await;

    let allocations = cluster.api.allocations(&name).await.expect("the API answers");
    let mut addresses: Vec<String> = allocations.iter().filter_map(|one| one.address("http")).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "{allocations:#?}");
    for address in &addresses {
        let answer = ask(&reqwest::Client::new(), address).await;
        assert_eq!(answer.as_deref(), Ok("from a container"), "{address}\n{}", cluster.last_words());
    }
    until_deleted(&cluster, &name).await;
}

/// Deletes the job and waits until docker has no container of it.
async fn until_deleted(cluster: &Cluster, name: &str) {
    cluster.run(&["delete", "job", name]);
    wait::until(wait::STEP, "the containers to go", async || {
        let left = docker::containers_of(name);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}\n{}", cluster.last_words())) }
    })
    .await;
}

fn hcl(name: &str, count: u32, port: &str) -> String {
    let image = docker::IMAGE;
    format!(
        r#"
job "{name}" {{
  group "web" {{
    count = {count}
    network {{
      port "http" {{
        {port}
        to = 8080
      }}
    }}
    update {{
      min_healthy_time = "200ms"
      healthy_deadline = "20s"
    }}
    service {{
      name     = "{name}"
      port     = "http"
      provider = "nomad"
      check {{
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }}
    }}
    task "server" {{
      driver = "docker"
      config {{
        image   = "{image}"
        ports   = ["http"]
        command = "/bin/sh"
        args    = ["-c", "mkdir /www && echo from a container > /www/index.html && exec /bin/httpd -f -p 8080 -h /www"]
      }}
      resources {{
        cpu    = 50
        memory = 32
      }}
    }}
  }}
}}
"#
    )
}
