//! Ports that somebody else on the machine has: another cluster, or a process that no cluster knows.

use std::{collections::BTreeSet, net::TcpListener};

use serde_json::Value;

use crate::{
    cluster::{Cluster, Shape},
    jobs::Web,
    ports, wait,
};

const WEB: Web<'static> = Web { name: "web", count: 8, version: "one", max_parallel: 8, listens: true };
const ONE_NODE: Shape = Shape::Embedded { agents: 1 };

/// Both choose among the same few ports and know nothing of each other.
pub async fn two_clusters_on_one_machine_share_its_ports() {
    let range = ports::range();
    let one = Cluster::start_with(ONE_NODE, vec![range.clone()]).await;
    let other = Cluster::start_with(ONE_NODE, vec![range]).await;
    one.apply("web", &WEB.hcl());
    other.apply("web", &WEB.hcl());
    one.until_healthy("web", 8).await;
    other.until_healthy("web", 8).await;
    let (one, other) = (addresses(&one).await, addresses(&other).await);
    assert!(one.is_disjoint(&other), "{one:?} and {other:?}");
    assert_eq!((one.len(), other.len()), (8, 8));
}

async fn addresses(cluster: &Cluster) -> BTreeSet<String> {
    let allocations = cluster.api.allocations("web").await.expect("the API answers");
    allocations.iter().filter(|one| one.is_serving()).filter_map(|one| one.address("http")).collect()
}

/// There is but one port, and this process has it: it is named, and the instance comes up once the port is free.
pub async fn a_port_of_somebody_else_is_told_and_waited_for() {
    let mut range = ports::range();
    range.last = range.first;
    let port = range.first;
    let taken = TcpListener::bind(("0.0.0.0", port)).expect("the range is ours");
    let cluster = Cluster::start_with(ONE_NODE, vec![range]).await;
    let file = cluster.write_job("web", &Web { count: 1, max_parallel: 1, ..WEB }.hcl());
    cluster.run(&["apply", &file]);
    let expected = format!("port {port} is taken by PID {} (", std::process::id());
    wait::until(wait::STEP, "the port's holder to be named", async || {
        let told = cluster.run(&["get", "allocations", "-o", "json"]);
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let mut items = told["items"].as_array().into_iter().flatten();
        let is_told = items.any(|item| {
            let events = item["status"]["tasks"]["server"]["events"].to_string();
            events.contains(&expected) && item["status"]["message"].to_string().contains(&expected)
        });
        if is_told { Ok(()) } else { Err(format!("{told:#}\n{}", cluster.last_words())) }
    })
    .await;
    drop(taken);
    cluster.until_healthy("web", 1).await;
}
