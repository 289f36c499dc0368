//! The containers of a node that is no more: ended and removed, whatever its name; its id tells them from others'.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};

use super::answer::{is_missing, unavailable};
use super::body::LABEL_NODE_ID;
use super::shared::{DockerOptions, Shared};
use crate::contract::Unavailable;

/// Ends all containers of the node with this id, each with so much time to end by itself. Answers their names.
pub async fn remove_all_of(
    options: DockerOptions,
    node_id: &str,
    grace: Duration,
) -> Result<Vec<String>, Unavailable> {
    let shared = Shared::new(options);
    let docker = shared.docker().map_err(|error| unavailable(&error))?;
    let filters = HashMap::from([("label", vec![format!("{LABEL_NODE_ID}={node_id}")])]);
    let all = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = docker.list_containers(Some(all)).await.map_err(|error| unavailable(&error))?;
    let mut removed = Vec::new();
    for container in listed {
        let Some(id) = container.id else { continue };
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let stopping = StopContainerOptionsBuilder::default().t(seconds).build();
        let removing = RemoveContainerOptionsBuilder::default().v(true).force(true).build();
        let ended = docker.stop_container(&id, Some(stopping)).await;
        for answer in [ended, docker.remove_container(&id, Some(removing)).await] {
            answer.or_else(|error| if is_missing(&error) { Ok(()) } else { Err(unavailable(&error)) })?;
        }
        removed.extend(container.names.into_iter().flatten().next());
    }
    Ok(removed)
}
