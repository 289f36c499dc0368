//! What must be true of a cluster, each told once and run over every store.

pub mod bounds;
pub mod crash;
pub mod disk;
pub mod docker_web;
pub mod etcd;
pub mod garbage;
pub mod habits;
pub mod histories;
pub mod identity;
pub mod kinds;
pub mod kubectl_verbs;
pub mod openapi;
pub mod pairs;
pub mod reverts;
pub mod rules;
pub mod secrets;
pub mod taken_ports;
pub mod waiting;
pub mod web;
