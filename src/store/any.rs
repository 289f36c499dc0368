//! One store or another, chosen when the process starts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::key::{Prefix, Revision};

use super::contract::{CommitError, Listing, ReadError, Store, Txn, Watch, WatchError};
use super::core::Limits;
use super::embedded::Embedded;
#[cfg(feature = "etcd")]
use super::etcd::Etcd;
use super::http::Http;
use super::memory::Memory;
use super::room::Room;

/// Why a store could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Stop the other process, or point this one elsewhere.
    #[error("the store in {} is in use by another process; only one may have it open", .0.display())]
    InUse(PathBuf),
    /// Put a sound copy back, or save what is sound of it.
    #[error(
        "the store's file {} is not as it was written, and was left as it is: {why}\n  \
         `encamp operator store check embedded:{}` lists what is wrong with it, and\n  \
         `encamp operator store repair embedded:{}` copies what is sound into a new file",
        .file.display(), folder(.file), folder(.file)
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong first.
        why: String,
    },
    /// It may come by itself: try again after a while.
    #[error("{what} is not there yet: {why}")]
    Away {
        /// The servers.
        what: String,
        /// What they said, or did not.
        why: String,
    },
    /// Something about the place has to be mended first.
    #[error("cannot use {what} as a store: {why}")]
    Unusable {
        /// The folder, file or server.
        what: String,
        /// What it said.
        why: String,
    },
    /// Write another address.
    #[error(
        "{address:?} is no store: {why}; write embedded:FOLDER, etcd://HOST:PORT[,HOST:PORT…], \
         etcds:// for TLS, or memory:"
    )]
    Address {
        /// What was written.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

fn folder(file: &Path) -> std::path::Display<'_> {
    file.parent().unwrap_or(file).display()
}

/// A user of etcd. Printing it never shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// Known to nobody else.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// What an address alone does not say; only etcd asks for any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much recent history `memory:` and `embedded:` remember for watches.
    pub limits: Limits,
    /// What every key in etcd begins with, so that clusters may share one etcd.
    pub root: String,
    /// Who we are to etcd, if it asks.
    pub login: Option<Login>,
    /// The certificate authority that signed the servers of etcd (PEM); without it the system's are trusted.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key for etcd (PEM).
    pub identity_files: Option<(PathBuf, PathBuf)>,
    /// Whether to speak TLS to etcd even if none of these files is given: what `etcds://` means.
    pub is_tls: bool,
    /// How large etcd's file may become, where etcd itself does not tell.
    pub quota_bytes: Option<u64>,
    /// How long any one call to etcd may take.
    pub timeout: Duration,
}

impl Options {
    /// Whether etcd is spoken to over TLS.
    pub fn speaks_tls(&self) -> bool {
        self.is_tls || self.ca_file.is_some() || self.identity_files.is_some()
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            root: "/encamp".to_owned(),
            login: None,
            ca_file: None,
            identity_files: None,
            is_tls: false,
            quota_bytes: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Whichever store this process was told to use.
#[derive(Clone)]
pub enum AnyStore {
    /// Lives and dies with the process.
    Memory(Memory),
    /// A folder on this machine.
    Embedded(Embedded),
    /// A cluster of etcd.
    #[cfg(feature = "etcd")]
    Etcd(Etcd),
    /// Another server's store, through its API.
    Http(Http),
}

/// Opens the store at an address: `embedded:FOLDER`, `etcd://HOST:PORT,HOST:PORT`, `etcds://` likewise over TLS, or
/// `memory:`.
pub async fn open(address: &str, options: &Options) -> Result<AnyStore, OpenError> {
    let wrong = |why: &str| OpenError::Address { address: address.to_owned(), why: why.to_owned() };
    let (scheme, rest) = address.split_once(':').ok_or_else(|| wrong("it has no scheme"))?;
    match scheme {
        "memory" if rest.is_empty() => Ok(AnyStore::Memory(Memory::new(options.limits))),
        "memory" => Err(wrong("memory takes no path")),
        "embedded" if rest.is_empty() => Err(wrong("it names no folder")),
        "embedded" => {
            let (folder, limits) = (PathBuf::from(rest), options.limits);
            let opened = tokio::task::spawn_blocking(move || Embedded::open(folder, limits)).await;
            opened.expect("opening does not panic").map(AnyStore::Embedded)
        }
        #[cfg(feature = "etcd")]
        "etcd" | "etcds" => {
            let options = &Options { is_tls: options.is_tls || scheme == "etcds", ..options.clone() };
            let hosts = rest.strip_prefix("//").unwrap_or(rest).trim_end_matches('/');
            let endpoints: Vec<String> = hosts.split(',').map(str::to_owned).collect();
            if endpoints.iter().any(|endpoint| !endpoint.contains(':') || endpoint.contains('/')) {
                return Err(wrong("an endpoint is HOST:PORT"));
            }
            Etcd::open(&endpoints, options).await.map(AnyStore::Etcd)
        }
        #[cfg(not(feature = "etcd"))]
        "etcd" | "etcds" => Err(wrong("this program was built without etcd")),
        other => Err(wrong(&format!("{other} is not a kind of store"))),
    }
}

impl Store for AnyStore {
    fn room(&self) -> Room {
        match self {
            AnyStore::Memory(store) => store.room(),
            AnyStore::Embedded(store) => store.room(),
            #[cfg(feature = "etcd")]
            AnyStore::Etcd(store) => Store::room(store),
            AnyStore::Http(store) => store.room(),
        }
    }

    async fn list(&self, prefix: &Prefix) -> Result<Listing, ReadError> {
        match self {
            AnyStore::Memory(store) => store.list(prefix).await,
            AnyStore::Embedded(store) => store.list(prefix).await,
            #[cfg(feature = "etcd")]
            AnyStore::Etcd(store) => store.list(prefix).await,
            AnyStore::Http(store) => store.list(prefix).await,
        }
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        match self {
            AnyStore::Memory(store) => store.commit(txn).await,
            AnyStore::Embedded(store) => store.commit(txn).await,
            #[cfg(feature = "etcd")]
            AnyStore::Etcd(store) => store.commit(txn).await,
            AnyStore::Http(store) => store.commit(txn).await,
        }
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, WatchError> {
        match self {
            AnyStore::Memory(store) => store.watch(prefix, after).await,
            AnyStore::Embedded(store) => store.watch(prefix, after).await,
            #[cfg(feature = "etcd")]
            AnyStore::Etcd(store) => store.watch(prefix, after).await,
            AnyStore::Http(store) => store.watch(prefix, after).await,
        }
    }
}
