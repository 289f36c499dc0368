//! Encamp: wiring only.
pub mod node;
pub mod store;
