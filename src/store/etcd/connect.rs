//! How a member is spoken to: certificates, users, pings.

use std::fs;
use std::path::Path;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};

use crate::any::Options;

/// HTTP/2 pings find a dead peer under an idle watch. etcd closes connections that ping more often than every
/// 5 s, so a little less often than that.
const PING_EVERY: Duration = Duration::from_secs(6);
/// How long a ping may stay unanswered.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// A client of one member. It connects when it is first used, but logs in now.
pub(super) async fn connect(endpoint: &str, options: &Options) -> Result<Client, Error> {
    let mut settings = ConnectOptions::new()
        .with_keep_alive(PING_EVERY, PING_TIMEOUT)
        .with_keep_alive_while_idle(false)
        // Less than a call may take, so that it surely was not sent when this is over.
        .with_connect_timeout(options.timeout / 3)
        .with_require_leader(true);
    if let Some(login) = &options.login {
        settings = settings.with_user(&login.user, &login.password).with_auto_token_refresh(true);
    }
    if options.speaks_tls() {
        settings = settings.with_tls(tls(options)?);
    }
    Client::connect([endpoint], Some(settings)).await
}

fn tls(options: &Options) -> Result<TlsOptions, Error> {
    let mut tls = TlsOptions::new();
    match &options.ca_file {
        Some(ca) => tls = tls.ca_certificate(Certificate::from_pem(read(ca)?)),
        None => tls = tls.with_native_roots(),
    }
    if let Some((certificate, key)) = &options.identity_files {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(tls)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|error| Error::InvalidArgs(format!("cannot read {}: {error}", file.display())))
}

/// The quota that a member tells among its metrics, where its clients may read these.
pub(super) async fn quota(endpoint: &str, options: &Options) -> Option<u64> {
    let scheme = if options.speaks_tls() { "https" } else { "http" };
    let client = http(options)?;
    let answer = client.get(format!("{scheme}://{endpoint}/metrics")).send().await.ok()?;
    let text = answer.text().await.ok()?;
    let told = text.lines().find_map(|line| line.strip_prefix("etcd_server_quota_backend_bytes "))?;
    // A number of Prometheus, such as 2.147483648e+09; what is no positive one tells nothing.
    let bytes = told.trim().parse::<f64>().ok().filter(|bytes| *bytes >= 1.0)?;
    format!("{bytes:.0}").parse().ok()
}

fn http(options: &Options) -> Option<reqwest::Client> {
    let mut builder = http_client::builder().no_proxy().timeout(options.timeout / 3);
    if let Some(ca) = &options.ca_file {
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&fs::read(ca).ok()?).ok()?);
    }
    if let Some((certificate, key)) = &options.identity_files {
        let both = [fs::read(certificate).ok()?, b"\n".to_vec(), fs::read(key).ok()?].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&both).ok()?);
    }
    builder.build().ok()
}
