//! The real binary in real processes: every scenario over the embedded store and over a real etcd.
//!
//! Each test has a cluster of its own, on its own ports and in its own directory, and leaves nothing
//! behind. A test whose service cannot run here says so in one line that starts with `skipped:`.

#![expect(unreachable_pub, reason = "a test exports nothing: `pub` says what the other files of it may use")]

mod api;
#[path = "../campaign/mod.rs"]
#[expect(dead_code, reason = "whole campaigns are run by `make campaign`")]
mod campaign;
#[path = "../campaign/laws.rs"]
mod campaign_laws;
mod cluster;
mod docker;
mod etcd;
mod hostile;
mod jobs;
#[path = "../common/keys.rs"]
#[expect(dead_code, reason = "tokens are tested elsewhere")]
mod keys;
mod kubectl;
#[path = "../common/mounts.rs"]
mod mounts;
mod outside;
mod ports;
mod process;
mod scenarios;
mod wait;

use campaign::{
    chaos,
    liveness::{self, Case},
};
use cluster::{Cluster, Shape};

macro_rules! over_both_stores {
    ($($name:ident: $agents:literal agents, $scenario:path;)*) => {
        mod embedded {
            use super::{Cluster, Shape, scenarios};
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $scenario(Cluster::start(Shape::Embedded { agents: $agents }).await).await;
            })*
        }
        mod over_etcd {
            use super::{Cluster, Shape, scenarios};
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                $scenario(Cluster::start(Shape::Etcd { agents: $agents }).await).await;
            })*
        }
    };
}

over_both_stores! {
    three_instances_of_two_tasks: 1 agents, scenarios::kinds::three_instances_of_two_tasks;
    deleted_and_made_again_at_once: 1 agents, scenarios::kinds::deleted_and_made_again_at_once;
    batch_runs_to_completion: 1 agents, scenarios::kinds::batch_runs_to_completion;
    system_job_runs_on_every_node: 3 agents, scenarios::kinds::system_job_runs_on_every_node;
    all_of_none_is_told_as_none: 1 agents, scenarios::rules::all_of_none_is_told_as_none;
    neighbours_move_apart: 2 agents, scenarios::rules::neighbours_move_apart;
    a_version_that_fails_is_gone_back_from: 1 agents, scenarios::reverts::a_version_that_fails_is_gone_back_from;
    scale_up_and_down: 1 agents, scenarios::web::scale_up_and_down;
    rolling_update_never_fails_a_client: 1 agents, scenarios::web::rolling_update_never_fails_a_client;
    broken_version_leaves_the_old_one: 1 agents, scenarios::web::broken_version_leaves_the_old_one;
    docker_static_port: 1 agents, scenarios::docker_web::static_port;
    docker_dynamic_ports: 1 agents, scenarios::docker_web::dynamic_ports;
    words_of_the_day: 1 agents, scenarios::habits::words_of_the_day;
    tasks_outlive_agent_and_server: 1 agents, scenarios::crash::tasks_outlive_agent_and_server;
    lost_node_is_replaced: 2 agents, scenarios::crash::lost_node_is_replaced;
    kubectl_reads_and_writes: 1 agents, scenarios::kubectl_verbs::reads_and_writes;
    kubectl_watches_and_waits: 1 agents, scenarios::kubectl_verbs::watches_and_waits;
}

macro_rules! over_a_special_etcd {
    ($($name:ident: $special:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            scenarios::etcd::$name(Cluster::start(Shape::Special($special)).await).await;
        })*
    };
}

over_a_special_etcd! {
    a_cluster_never_fills_its_etcd: scenarios::etcd::FORGETFUL;
    a_server_lists_again_when_its_watch_is_compacted: scenarios::etcd::FORGETFUL;
    a_full_etcd_is_opened_again: scenarios::etcd::HOARDING;
    growth_ends_before_etcd_is_full: scenarios::etcd::HOARDING;
    the_leader_of_etcd_may_die: scenarios::etcd::OF_THREE;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_shows_its_certificate_to_etcd() {
    let authority = keys::Authority::new();
    let special = scenarios::etcd::with_certificates(&authority);
    scenarios::kinds::batch_runs_to_completion(Cluster::start(Shape::Special(special)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_a_leader_of_etcd() {
    scenarios::waiting::for_a_leader_of_etcd().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_outlive_etcd() {
    scenarios::crash::tasks_outlive_etcd(Cluster::start(Shape::Etcd { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_under_health_and_links() {
    scenarios::garbage::under_health_and_links(Cluster::start(Shape::Etcd { agents: 2 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_under_placements() {
    scenarios::garbage::under_placements(Cluster::start(Shape::Etcd { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_picks_up_after_kill_9() {
    scenarios::crash::dev_picks_up_after_kill_9(Cluster::start(Shape::Dev).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_stops_its_tasks_when_asked() {
    scenarios::crash::dev_stops_its_tasks_when_asked(Cluster::start(Shape::Dev).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_stops_nothing_until_it_is_accepted() {
    let cluster = Cluster::start(Shape::Embedded { agents: 1 }).await;
    scenarios::histories::an_empty_store_stops_nothing_until_it_is_accepted(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_kept_to_what_was_asked_for() {
    scenarios::disk::is_kept_to_what_was_asked_for(Cluster::start(Shape::Embedded { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_is_followed() {
    scenarios::histories::a_restored_store_is_followed(Cluster::start(Shape::Embedded { agents: 1 }).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_purged_ends_when_its_node_returns() {
    let cluster = Cluster::start(Shape::Etcd { agents: 2 }).await;
    scenarios::histories::what_was_purged_ends_when_its_node_returns(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_node_ends_what_it_ran() {
    scenarios::histories::a_purged_node_ends_what_it_ran(Cluster::start(Shape::Embedded { agents: 1 }).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_agent() {
    let cluster = Cluster::start(Shape::Embedded { agents: 1 }).await;
    scenarios::identity::a_data_directory_has_one_agent(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_has_one_agent() {
    scenarios::identity::a_name_has_one_agent(Cluster::start(Shape::Embedded { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_dev_ends_what_a_dead_one_left() {
    let cluster = Cluster::start(Shape::Embedded { agents: 0 }).await;
    scenarios::identity::the_next_dev_ends_what_a_dead_one_left(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_was_promised() {
    let cluster = Cluster::start(Shape::Embedded { agents: 1 }).await;
    scenarios::openapi::every_answer_is_one_that_was_promised(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_on_one_machine_share_its_ports() {
    scenarios::taken_ports::two_clusters_on_one_machine_share_its_ports().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_somebody_else_is_told_and_waited_for() {
    scenarios::taken_ports::a_port_of_somebody_else_is_told_and_waited_for().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_and_kept() {
    scenarios::secrets::are_masked_and_kept(&Cluster::start(Shape::Embedded { agents: 0 }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_harm_nothing() {
    hostile::requests::run(Cluster::start(Shape::Embedded { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_states_of_the_store_harm_nothing() {
    hostile::states::run(Cluster::start(Shape::Etcd { agents: 1 }).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_much_is_refused_at_little_cost() {
    scenarios::bounds::what_costs_much_is_refused_at_little_cost(Cluster::start(Shape::Dev).await).await;
}

/// The seed of the slice: it kills and pauses members of etcd, servers and agents.
const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn chaos_leaves_alone_what_nobody_changes() {
    chaos::run(SEED, &chaos::SLICE).await.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_gives_no_node_up() {
    liveness::run(Case::ServerPausedShortly, liveness::SHORT_AFTERMATH).await.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_replaced() {
    liveness::run(Case::NodeDies, liveness::SHORT_AFTERMATH).await.assert_well();
}
