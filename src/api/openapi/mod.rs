//! The OpenAPI 3.0 document of the API, assembled from the kinds and the types of their documents.
//!
//! `kubectl` reads it for `explain`, for `apply` and to learn what a patch understands.

mod convert;
mod document;
mod operations;
mod routes;
mod schemas;

pub(super) use routes::router;
pub(super) use schemas::{LIST_KEYS, definitions};
