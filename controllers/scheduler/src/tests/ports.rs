//! Ports: who has them by the cluster's knowledge, and what was found on machines.

use super::*;

#[test]
fn a_port_that_may_be_shared_is_not_given_away_as_one_of_its_own() {
    let node = "node n1 dynamic=20000-20000";
    let both = "job web ports=http,shared:20000! · roster web.api 0=v1.0";
    assert_snapshot!(decide(&format!("{node} · {both}")), @r"
        note web.api: 1 wait: considered 1 nodes: 1 short of dynamic ports; nearest n1: no dynamic port is left
        ");
    // What is given back leaves the port to the other that shares it.
    let shared = "job a priority=90 ports=x:8080! · roster a.api 0=v1.0";
    let whole = "job b priority=80 all_at_once count=2 memory=5000 ports=x:8080! · roster b.api 0-1=v1.0";
    let own = "job c ports=x:8080 · roster c.api 0=v1.0";
    assert_snapshot!(decide(&format!("{node} · {shared} · {whole} · {own}")), @r"
        + a.api.0-v1.0 on n1 port.x=8080
        note b.api: 1 wait: considered 1 nodes: 1 short of memory; nearest n1: 1908 MB of memory short
        note b: all at once: 1 instances find no room, so none starts
        note c.api: 1 wait: considered 1 nodes: 1 short of port 8080; nearest n1: port 8080 is taken
        ");
}

#[test]
fn a_chosen_port_that_was_taken_is_left_out_and_two_stores_choose_differently() {
    let job = "job web count=1 ports=http · roster web.api 0=v1.1";
    let taken = "place web.api.0-v1.0 on n1 port.http=20000 · report web.api.0-v1.0 failed taken=20000";
    let decided = |range: &str| decide(&format!("node n1 dynamic={range} · {job} · {taken}"));
    assert_snapshot!(decided("20000-20001"), @"+ web.api.0-v1.1 on n1 port.http=20001");
    assert_snapshot!(decided("20000-20000"), @"+ web.api.0-v1.1 on n1 port.http=20000");
    let of = |epoch: &str| decide(&format!("epoch {epoch} · node n1 · {job}"));
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
    assert_eq!(of("a"), of("b a@+6"), "a store that was restored goes on with what it chose");
}

#[test]
fn where_a_fixed_port_is_taken_comes_last() {
    let job = r#"job web count=1 ports=http:8080 affinity="${meta.zone} = a 100" · roster web.api 0=v1.1"#;
    let taken = "place web.api.0-v1.0 on n1 port.http=8080 · report web.api.0-v1.0 failed taken=8080";
    let picture = format!("node n1 meta.zone=a · node n2 meta.zone=b · {job} · {taken}");
    assert_snapshot!(decide(&picture), @"+ web.api.0-v1.1 on n2 port.http=8080");
    assert_snapshot!(decide(&format!("{picture} · health n2 down")), @"+ web.api.0-v1.1 on n1 port.http=8080");
}
