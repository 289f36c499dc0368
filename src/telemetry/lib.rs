//! What a process tells about itself.

mod metrics;

pub use metrics::*;
