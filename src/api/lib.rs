//! The API: documents, watches, tables and what else clients need, Kubernetes-shaped.
//!
//! The API decides nothing. It reads the view of its process and writes what people wish, after it has checked
//! that the wish makes sense. [`Server`] has the routes, [`hand_over`] says which runtime answers.

mod admission;
mod agent_call;
pub mod agents;
mod apply;
mod body;
mod commit;
mod core;
mod discovery;
mod epoch;
mod events;
pub mod exposure;
mod feed;
mod hand_over;
mod happened;
mod health;
mod job_edit;
mod kind;
pub mod lifeline;
mod liveness;
mod log;
mod mask;
mod missing;
mod openapi;
mod ownership;
mod patch;
mod preview;
mod purge;
mod read;
mod refusal;
mod request;
mod resources;
mod review;
mod rollback;
mod scale;
mod scene;
mod selector;
mod server;
pub mod store_face;
pub mod strays;
mod table;
#[cfg(test)]
mod tests;
mod touch;
mod unreadable;
mod unsaid;
mod waiting;
mod watch;
mod word;
mod work;
mod write;
mod write_jobs;
mod write_nodes;

pub use hand_over::hand_over;
pub use server::Server;
pub use waiting::waiting;
