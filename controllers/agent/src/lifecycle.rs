//! In which order the tasks of a group start and end.
//!
//! Start: prestart tasks and their sidecars; main tasks once every prestart task ended well and every sidecar runs;
//! poststart tasks once every main task has started. End: the leader, then the others, then sidecars, each stage
//! only when the one before is over; then poststop tasks.

use schemas::job::JobType;
use schemas::task::{Hook, Task};

use crate::local::Fact;
use crate::memory::AllocationMemory;
use crate::scene::Scene;

/// What a task is in the life of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ends before the main tasks start.
    Prestart,
    /// Starts before the main tasks and runs beside them.
    PrestartSidecar,
    /// What the group is for.
    Main,
    /// Starts after the main tasks and ends.
    Poststart,
    /// Starts after the main tasks and runs beside them.
    PoststartSidecar,
    /// Starts when all else has ended.
    Poststop,
}

impl Role {
    /// The role that a task declares.
    pub fn of(task: &Task) -> Role {
        match (task.hook(), task.is_sidecar()) {
            (None, _) => Role::Main,
            (Some(Hook::Prestart), false) => Role::Prestart,
            (Some(Hook::Prestart), true) => Role::PrestartSidecar,
            (Some(Hook::Poststart), false) => Role::Poststart,
            (Some(Hook::Poststart), true) => Role::PoststartSidecar,
            (Some(Hook::Poststop), _) => Role::Poststop,
        }
    }

    /// Whether a good end is the end; otherwise the task is started again.
    pub(crate) fn may_end(self, job_type: JobType) -> bool {
        match self {
            Role::Prestart | Role::Poststart | Role::Poststop => true,
            Role::PrestartSidecar | Role::PoststartSidecar => false,
            Role::Main => job_type.is_batch(),
        }
    }
}

/// The stages of an end, in order; poststop tasks have none.
pub(crate) const STOP_STAGES: u8 = 3;

/// In which stage a task is ended.
pub(crate) fn stop_stage(task: &Task) -> Option<u8> {
    match Role::of(task) {
        Role::Main if task.leader => Some(0),
        Role::Main | Role::Prestart | Role::Poststart => Some(1),
        Role::PrestartSidecar | Role::PoststartSidecar => Some(2),
        Role::Poststop => None,
    }
}

/// How far the start of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Every prestart task ended well and every prestart sidecar runs.
    is_prepared: bool,
    /// Every main task has started at least once.
    has_started: bool,
}

impl Progress {
    pub(crate) fn of(memory: &AllocationMemory, scene: &Scene<'_>) -> Progress {
        let mut progress = Progress { is_prepared: true, has_started: true };
        for task in &scene.group.tasks {
            let own = memory.tasks.get(&task.name);
            let ended_well = own.is_some_and(|own| own.phase.is_dead() && !own.phase.is_failed());
            let runs = matches!(scene.fact(&task.name), Some(Fact::Running { .. }));
            match Role::of(task) {
                Role::Prestart => progress.is_prepared &= ended_well,
                Role::PrestartSidecar => progress.is_prepared &= runs,
                Role::Main => progress.has_started &= own.is_some_and(|own| own.started.is_some()),
                Role::Poststart | Role::PoststartSidecar | Role::Poststop => {}
            }
        }
        progress
    }

    /// Whether a task of that role may start.
    pub(crate) fn allows(self, role: Role) -> bool {
        match role {
            Role::Prestart | Role::PrestartSidecar => true,
            Role::Main => self.is_prepared,
            Role::Poststart | Role::PoststartSidecar => self.has_started,
            Role::Poststop => false,
        }
    }
}
