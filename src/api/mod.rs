//! The API: documents, watches, tables and what else clients need, Kubernetes-shaped.
//!
//! The API decides nothing. It reads the view of its process and writes what people wish, after it has checked
//! that the wish makes sense.

pub mod lifeline;
