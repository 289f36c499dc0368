//! What must be true of a cluster, each told once and run over every store.

pub mod bounds;
pub mod crash;
pub mod docker_web;
pub mod etcd;
pub mod habits;
pub mod kinds;
pub mod kubectl_verbs;
mod pairs;
pub mod web;
