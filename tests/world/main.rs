//! The whole cluster in one thread and no time: the real controllers, API and agents over a store that misbehaves,
//! machines that crash and people who change their minds, all as one seed says.
//!
//! `WORLD_SEED=n` tells the story of one seed in full. Seeds that once found something are in `seeds`.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod absence;
mod alive;
mod broken;
mod calm;
mod chaos;
mod checker;
mod cluster;
mod faults;
mod goal;
mod guards;
mod line;
mod liveness;
mod machine;
mod pause;
mod rules;
mod seeds;
mod stage;
mod story;
mod trace;
mod user;
