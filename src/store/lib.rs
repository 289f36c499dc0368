//! Where documents live: one contract, four stores behind it.
//!
//! [`Store`] is what the rest of the house sees: list, commit, watch. [`Memory`] is the pure core behind a
//! lock, [`Embedded`] the same core with a durable journal, `Etcd` a production cluster and [`Http`] another
//! server's store seen through its API. [`open`] chooses one by its address. This room knows no kind of document.

mod any;
mod contract;
mod core;
#[cfg(feature = "fixture")]
pub mod deaf;
mod embedded;
#[cfg(feature = "etcd")]
mod etcd;
mod fanout;
mod http;
mod live;
mod memory;
mod room;
pub mod wire;

pub use self::core::Limits;
pub use any::{AnyStore, Login, OpenError, Options, open};
pub use contract::{
    Batch, CommitError, Listing, MAX_BYTES, MAX_OPERATIONS, PROGRESS_EVERY, ReadError, Store, Txn, Watch,
    WatchError,
};
pub use embedded::{Embedded, Inspection, Repaired};
#[cfg(feature = "etcd")]
pub use etcd::Etcd;
pub use http::Http;
pub use memory::Memory;
pub use room::{Measure, NoRoom, Room};
pub use schemas::entry::{Change, Entry};
