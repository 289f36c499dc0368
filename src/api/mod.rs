//! The API: documents, watches, tables and what else clients need, Kubernetes-shaped.
//!
//! The API decides nothing. It reads the view of its process and writes what people wish, after it has checked
//! that the wish makes sense. [`Server`] has the routes, [`serve`] answers connections.

mod accept;
mod admission;
pub mod agents;
mod apply;
mod body;
mod commit;
mod core;
mod discovery;
mod events;
mod feed;
mod hand_over;
mod happened;
mod job_edit;
mod kind;
pub mod lifeline;
mod log;
mod missing;
mod openapi;
mod ownership;
mod patch;
mod preview;
mod read;
mod refusal;
mod request;
mod resources;
mod review;
mod scale;
mod scene;
mod selector;
mod server;
pub mod store_face;
mod table;
#[cfg(test)]
mod tests;
mod touch;
mod unsaid;
mod watch;
mod work;
mod write;
mod write_jobs;
mod write_nodes;

pub use accept::serve;
pub use server::Server;
