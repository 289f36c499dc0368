//! The stock kubectl against a served API: every verb that we say works, by what it prints.
//!
//! No controller runs here, so jobs stay pending unless a test writes what a controller would.

mod kubectl {
    pub mod stand;
}

use kubectl::stand::Stand;

const WEB: &str = "
apiVersion: encamp.dev/v1
kind: Job
metadata:
  name: web
  labels: {app: web}
spec:
  groups:
  - name: api
    count: 2
    tasks:
    - name: main
      driver: raw_exec
      config: {command: /bin/sleep, args: ['60']}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_made_and_read() {
    let stand = Stand::start().await;
    let made = stand.run_with(WEB, &["create", "-f", "-"]).await;
    assert_eq!(made, "job.encamp.dev/web created\n");
    println!("{}", stand.run(&["get", "jobs"]).await);
    println!("{}", stand.run(&["get", "jobs", "-o", "wide"]).await);
    println!("{}", stand.run(&["get", "job", "web", "-o", "yaml"]).await);
    println!("{}", stand.run(&["api-resources"]).await);
    println!("{}", stand.run(&["describe", "job", "web"]).await);
}
