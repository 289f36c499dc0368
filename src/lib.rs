//! Encamp: wiring only.
