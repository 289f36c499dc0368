//! Documents back to text, so that people can read and edit what is stored.
//!
//! Fields that have their default are left out: what reads the text fills them in again.

mod hcl;
mod json;
mod sparse;
mod yaml;

pub use hcl::to_hcl;
pub use json::to_json;
pub use sparse::sparse_spec;
pub use yaml::to_yaml;
