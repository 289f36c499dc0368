//! Encamp: wiring only.
pub mod node;
