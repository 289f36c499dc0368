//! The lanes of a server's process: what judges liveness never stands behind what users ask for.
//!
//! Three runtimes. *Main* answers requests. *Life* has two threads of its own for all that must not be late: it takes
//! connections and reads heads of requests, answers beats and questions after health itself and hands everything else
//! to main; the server's own beat and the writing of links run there, and so do the connections to the store. *Plans*
//! has a thread for each controller and for the cache: a plan of seconds keeps nobody else from deciding.
//!
//! In the simulation, which knows one thread and its own time, all three are the same runtime.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::StartError;

/// Threads of the lane of life: while one reads a large head, the other hears.
const LIFE_THREADS: usize = 2;
/// Threads for plans: one for each controller, for the cache and for what else has a seat.
const PLAN_THREADS: usize = 5;

/// The runtimes beside the main one. They end with this value, which therefore must outlive what runs on them.
#[derive(Debug)]
pub(super) struct Roads {
    life: Option<Runtime>,
    plans: Option<Runtime>,
}

/// Where a part of a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// It must not be late.
    Life,
    /// It decides.
    Plans,
}

/// The runtimes of a server's lanes.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    pub(super) life: Handle,
    pub(super) plans: Handle,
}

impl Roads {
    pub(super) fn open() -> Result<Roads, StartError> {
        let runtime = |name: &str, threads: usize| {
            let built =
                Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
            built.map(Some).map_err(|error| StartError::failed(error.to_string()))
        };
        Ok(Roads { life: runtime("life", LIFE_THREADS)?, plans: runtime("plans", PLAN_THREADS)? })
    }

    pub(super) fn lanes(&self) -> Lanes {
        let handle = |runtime: &Option<Runtime>| {
            runtime.as_ref().expect("it is taken only at the end").handle().clone()
        };
        Lanes { life: handle(&self.life), plans: handle(&self.plans) }
    }
}

impl Drop for Roads {
    fn drop(&mut self) {
        // Whatever mattered was awaited by whoever started it.
        self.life.take().into_iter().chain(self.plans.take()).for_each(Runtime::shutdown_background);
    }
}

impl Lanes {
    /// The runtime of a lane.
    pub(super) fn of(&self, lane: Lane) -> &Handle {
        match lane {
            Lane::Life => &self.life,
            Lane::Plans => &self.plans,
        }
    }
}
