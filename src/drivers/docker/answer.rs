//! What the daemon says, in the words of the contract.

use std::collections::HashMap;

use bollard::{
    errors::Error,
    models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum},
};
use jiff::Timestamp;

use super::body::{LABEL_INCARNATION, LABEL_LOGS, LABEL_NODE, LABEL_TASK};
use crate::{
    logs::LogPlan,
    {
        TaskId,
        contract::{Ending, Exit, RunningTask, StartError, TaskState, Unavailable},
    },
};

/// A container that belongs to a task of this node.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) container: String,
    pub(super) id: TaskId,
    pub(super) incarnation: u32,
    pub(super) plan: Option<LogPlan>,
}

impl Known {
    /// By its labels; `None` if it is not ours.
    pub(super) fn of(container: &str, labels: &HashMap<String, String>, node: &str) -> Option<Self> {
        (labels.get(LABEL_NODE)? == node).then_some(())?;
        Some(Self {
            container: container.to_owned(),
            id: labels.get(LABEL_TASK)?.clone().try_into().ok()?,
            incarnation: labels.get(LABEL_INCARNATION)?.parse().ok()?,
            plan: labels.get(LABEL_LOGS).and_then(|text| serde_json::from_str(text).ok()).flatten(),
        })
    }

    /// From a full description.
    pub(super) fn inspected(found: &ContainerInspectResponse, node: &str) -> Option<Self> {
        let labels = found.config.as_ref()?.labels.as_ref()?;
        Self::of(found.id.as_deref()?, labels, node)
    }
}

/// How far a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    /// Made, never started.
    Created,
    /// Alive.
    Running,
    /// Ended.
    Exited(Exit),
}

/// Reads the state of a container.
pub(super) fn life(state: Option<&ContainerState>) -> Life {
    let Some(state) = state else { return Life::Created };
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => Life::Created,
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::REMOVING,
        ) => Life::Exited(exit(state)),
        Some(
            ContainerStateStatusEnum::EMPTY
            | ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::PAUSED
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::STOPPING,
        )
        | None => Life::Running,
    }
}

/// The daemon tells signals as a shell does, by 128 + number.
fn exit(state: &ContainerState) -> Exit {
    let code = i32::try_from(state.exit_code.unwrap_or(255)).unwrap_or(255);
    let ending = if (129..=192).contains(&code) { Ending::Signal(code - 128) } else { Ending::Code(code) };
    Exit {
        ending,
        oom: state.oom_killed.unwrap_or(false),
        at: time(state.finished_at.as_deref()),
        message: state.error.clone().filter(|text| !text.is_empty()),
    }
}

pub(super) fn time(text: Option<&str>) -> Timestamp {
    text.and_then(|text| text.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A task as its container shows it; a container that was never started is told as an end that nobody saw.
pub(super) fn task(known: &Known, found: &ContainerInspectResponse) -> RunningTask {
    let state = match life(found.state.as_ref()) {
        Life::Running => TaskState::Running,
        Life::Exited(exit) => TaskState::Exited(exit),
        Life::Created => TaskState::Exited(Exit {
            ending: Ending::Unseen,
            oom: false,
            at: Timestamp::now(),
            message: Some("the container was made but never started".to_owned()),
        }),
    };
    let started = time(found.state.as_ref().and_then(|state| state.started_at.as_deref()));
    RunningTask {
        id: known.id.clone(),
        incarnation: known.incarnation,
        started,
        address: address(found),
        state,
    }
}

/// The container's own address on its first network.
pub(super) fn address(found: &ContainerInspectResponse) -> Option<std::net::IpAddr> {
    let networks = found.network_settings.as_ref()?.networks.as_ref()?;
    let mut names: Vec<_> = networks.keys().collect();
    names.sort();
    names.iter().find_map(|name| networks[*name].ip_address.as_ref()?.parse().ok())
}

/// The daemon knows no such thing.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Somebody was faster, or it is in that state already.
pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 304 | 409, .. })
}

/// Whether the user must change the job or may simply wait.
pub(super) fn start_error(what: &str, error: &Error) -> StartError {
    let Error::DockerResponseServerError { status_code, message } = error else {
        return StartError::Recoverable(format!("{what}: the docker daemon does not answer: {error}"));
    };
    let text = format!("{what}: {}", message.trim());
    if *status_code == 400 { StartError::Fatal(text) } else { StartError::Recoverable(text) }
}

pub(super) fn unavailable(error: &Error) -> Unavailable {
    Unavailable(format!("docker: {error}"))
}
