//! Where a server keeps its documents, as flags, configuration and the environment say it.

use std::path::{Path, PathBuf};

use clap::Args;
use schemas::duration::Duration;

use super::config::ServerSection;
use crate::error::StartError;
use store::{self, Login};

/// How much history etcd keeps unless told otherwise: watches that far behind list again.
const HISTORY: std::time::Duration = std::time::Duration::from_secs(30);

/// The user of etcd and its password, where no flag and no file says them.
const USER: &str = "ENCAMP_STORE_USER";
const PASSWORD: &str = "ENCAMP_STORE_PASSWORD";

/// Where the documents lie; all but the address is for etcd alone.
#[derive(Clone, Debug, Default, Args)]
pub struct StoreArgs {
    /// embedded:PATH, etcd://HOST:PORT,HOST:PORT or, with TLS, etcds://… Default: embedded in the data directory.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// What every key in etcd begins with. Default: /encamp.
    #[arg(long, value_name = "PATH")]
    pub store_root: Option<String>,
    /// The certificate authority of etcd (PEM). Default: those of the system.
    #[arg(long, value_name = "FILE")]
    pub store_ca: Option<PathBuf>,
    /// Our certificate for etcd (PEM).
    #[arg(long, value_name = "FILE", requires = "store_key")]
    pub store_cert: Option<PathBuf>,
    /// The key of that certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "store_cert")]
    pub store_key: Option<PathBuf>,
    /// Our user in etcd; also `ENCAMP_STORE_USER`.
    #[arg(long, value_name = "NAME")]
    pub store_user: Option<String>,
    /// The file that holds its password; also the password itself in `ENCAMP_STORE_PASSWORD`.
    #[arg(long, value_name = "FILE")]
    pub store_password_file: Option<PathBuf>,
    /// How much history etcd keeps for slow watches; 0s leaves compaction to etcd. Default: 30s.
    #[arg(long, value_name = "DURATION")]
    pub store_history: Option<Duration>,
    /// How many bytes etcd may store (its --quota-backend-bytes). Default: what etcd tells, or its own 2 GiB.
    #[arg(long, value_name = "BYTES")]
    pub store_quota: Option<u64>,
}

impl StoreArgs {
    /// Flags over the file.
    pub(super) fn over(&self, file: &ServerSection) -> StoreArgs {
        let args = self.clone();
        StoreArgs {
            store: args.store.or_else(|| file.store.clone()),
            store_root: args.store_root.or_else(|| file.store_root.clone()),
            store_ca: args.store_ca.or_else(|| file.store_ca.clone()),
            store_cert: args.store_cert.or_else(|| file.store_cert.clone()),
            store_key: args.store_key.or_else(|| file.store_key.clone()),
            store_user: args.store_user.or_else(|| file.store_user.clone()),
            store_password_file: args.store_password_file.or_else(|| file.store_password_file.clone()),
            store_history: args.store_history.or(file.store_history),
            store_quota: args.store_quota.or(file.store_quota),
        }
    }

    /// The store's address: as given, or a folder below the data directory.
    pub fn address(&self, data_dir: Option<&Path>) -> Result<String, StartError> {
        match (&self.store, data_dir) {
            (Some(store), _) => Ok(store.clone()),
            (None, Some(data_dir)) => Ok(format!("embedded:{}", data_dir.join("store").display())),
            (None, None) => {
                Err(StartError::failed("say where to keep the store: --data-dir DIR or --store URL"))
            }
        }
    }

    /// What the address alone does not say.
    pub fn options(&self) -> Result<store::Options, StartError> {
        let mut options = store::Options::default();
        if let Some(root) = &self.store_root {
            options.root.clone_from(root);
        }
        options.ca_file.clone_from(&self.store_ca);
        options.quota_bytes = self.store_quota;
        options.identity_files = match (&self.store_cert, &self.store_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(StartError::failed(
                    "a certificate for etcd needs its key, and the key its certificate",
                ));
            }
        };
        let password = match &self.store_password_file {
            Some(file) => Some(read(file)?),
            None => std::env::var(PASSWORD).ok(),
        };
        let user = self.store_user.clone().or_else(|| std::env::var(USER).ok());
        options.login = match (user, password) {
            (Some(user), Some(password)) => Some(Login { user, password }),
            (None, None) => None,
            (Some(user), None) => {
                let why =
                    format!("the user {user:?} of etcd has no password: --store-password-file or {PASSWORD}");
                return Err(StartError::failed(why));
            }
            (None, Some(_)) => {
                let why = format!("there is a password for etcd, but no user: --store-user or {USER}");
                return Err(StartError::failed(why));
            }
        };
        Ok(options)
    }

    /// How much history etcd keeps; nothing means that somebody else compacts it.
    pub(super) fn history(&self) -> Option<std::time::Duration> {
        let history = self.store_history.map_or(HISTORY, Duration::to_std);
        (!history.is_zero()).then_some(history)
    }
}

/// A password without the line end that editors add.
fn read(file: &Path) -> Result<String, StartError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| StartError::failed(format!("{}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn told(args: &StoreArgs) -> String {
        match args.options() {
            Ok(options) => format!("{:?} {:?}", options.login, options.identity_files),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_login_is_whole_and_its_password_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "correct-horse\n").unwrap();
        let user = Some("encamp".to_owned());
        let nothing = StoreArgs::default;
        let cases = [
            nothing(),
            StoreArgs { store_user: user.clone(), store_password_file: Some(password.clone()), ..nothing() },
            StoreArgs { store_user: user.clone(), ..nothing() },
            StoreArgs { store_password_file: Some(password.clone()), ..nothing() },
            StoreArgs { store_user: user, store_password_file: Some("/nowhere".into()), ..nothing() },
            StoreArgs { store_cert: Some("a.pem".into()), ..nothing() },
        ];
        let mut all = String::new();
        for case in &cases {
            writeln!(all, "{}", told(case)).unwrap();
        }
        insta::assert_snapshot!(all, @r#"
        None None
        Some(Login(encamp)) None
        the user "encamp" of etcd has no password: --store-password-file or ENCAMP_STORE_PASSWORD
        there is a password for etcd, but no user: --store-user or ENCAMP_STORE_USER
        /nowhere: No such file or directory (os error 2)
        a certificate for etcd needs its key, and the key its certificate
        "#);
        assert_eq!(cases[1].options().unwrap().login.unwrap().password, "correct-horse");
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = ServerSection {
            store: Some("etcds://a:2379".to_owned()),
            store_root: Some("/file".to_owned()),
            store_history: Some("5m".parse().unwrap()),
            ..ServerSection::default()
        };
        let flags = StoreArgs {
            store_root: Some("/flag".to_owned()),
            store_history: Some("0s".parse().unwrap()),
            ..StoreArgs::default()
        };
        let both = flags.over(&file);
        assert_eq!(both.address(None).unwrap(), "etcds://a:2379");
        assert_eq!(both.options().unwrap().root, "/flag");
        assert_eq!(both.history(), None);
        assert_eq!(StoreArgs::default().over(&file).history(), Some(std::time::Duration::from_secs(300)));
        assert!(StoreArgs::default().address(None).is_err());
    }
}
