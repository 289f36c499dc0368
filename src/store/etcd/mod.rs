//! A cluster of etcd as the store: one member or several, TLS, users.
//!
//! etcd counts for us: created, modified and version are its own counters, a revision is its revision. What it does
//! not promise is added here. Every call has an end: `connect` answers `Ok` for a dead server and a frozen
//! one never answers at all, so opening asks for the status first and each call runs under a timeout. A list is read
//! in pages at one revision. A watch filters what old versions repeat or replay, believes a
//! progress note only once the next has come, and is given up when nothing comes any more.
//! Tokens that ended are renewed. Old history is forgotten by [`upkeep`], a full etcd opened again by [`room`]. Events that old
//! versions lose altogether (before 3.4.31) are found by whoever compares: the cache each minute, agents each five.
//! No lease is used anywhere: safety rests on guards, which are etcd's compares.

mod connect;
mod failure;
mod members;
mod pace;
mod room;
mod store;
mod upkeep;
mod watching;
mod words;

pub use store::Etcd;
