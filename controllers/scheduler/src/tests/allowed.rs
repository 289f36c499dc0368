//! What a node's agent allows, and what is counted accordingly.

use super::*;

#[test]
fn what_may_be_reached_is_taken_unless_the_node_says_otherwise() {
    let job = |max: &str| format!("job web count=2 memory=100 memory_max={max} · roster web.api 0-1=v1.0");
    assert_snapshot!(decide(&format!("node n1 memory=1000 · {}", job("600"))), @r"
    + web.api.0-v1.0 on n1
    note web.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 200 MB of memory short
    ");
    assert_snapshot!(decide(&format!("node n1 memory=1000 oversubscribed · {}", job("600"))), @r"
    + web.api.0-v1.0 on n1
    + web.api.1-v1.0 on n1
    ");
    assert_snapshot!(decide(&format!("node n1 · node n2 oversubscribed · {}", job("-1"))), @r"
    + web.api.0-v1.0 on n2
    + web.api.1-v1.0 on n2
    ");
    assert_snapshot!(decide(&format!("node n1 · {}", job("-1"))), @"note web.api: 2 wait: considered 1 nodes: 1 not allowed `memory without a limit`");
}

#[test]
fn a_node_that_forbids_its_network_gets_no_container_that_joins_it() {
    let job = "job web count=1 driver=docker network_mode=host · roster web.api 0=v1.0";
    assert_snapshot!(decide(&format!("node n1 attr.driver.docker.host_network=0 · node n2 · {job}")), @"+ web.api.0-v1.0 on n2");
    assert_snapshot!(decide(&format!("node n1 attr.driver.docker.host_network=0 · {job}")), @r#"note web.api: 1 wait: considered 1 nodes: 1 not allowed `docker network_mode = "host"`"#);
}
