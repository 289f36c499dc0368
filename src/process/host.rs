//! What a process needs of its host: a runtime, logs, signals, a name.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::error::StartError;
use api::exposure::{self, Listening};

/// The rooms that log, by which logs are filtered.
const ROOMS: [&str; 11] = [
    "api",
    "cache",
    "cli",
    "clock",
    "control",
    "drivers",
    "http_client",
    "http_server",
    "node",
    "process",
    "store",
];

/// Runs a process until it ends; SIGINT and SIGTERM cancel its token, a second one ends it at once.
pub(super) fn run<F, W>(log_level: &str, work: F) -> Result<ExitCode, StartError>
where
    F: FnOnce(CancellationToken) -> W,
    W: Future<Output = Result<(), StartError>>,
{
    start_logs(log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::failed(error.to_string()))?;
    let stop = CancellationToken::new();
    let outcome = runtime.block_on(async {
        let signals = tokio::spawn(cancel_on_signal(stop.clone()));
        let outcome = work(stop).await;
        signals.abort();
        outcome
    });
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Writes a line to stderr. If nobody can hear it, there is nothing better to do than go on.
pub fn talk(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Logs go to stderr; `ENCAMP_LOG` takes tracing's filter language, `ENCAMP_LOG_FORMAT=json` makes lines JSON.
fn start_logs(level: &str) {
    // It says itself which words it does not understand.
    let asked = std::env::var("ENCAMP_LOG").unwrap_or_else(|_| format!("encamp={level}"));
    let filter = EnvFilter::new(of_rooms(&asked));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours());
    let started = if std::env::var("ENCAMP_LOG_FORMAT").is_ok_and(|format| format == "json") {
        logs.json().try_init()
    } else {
        logs.compact().try_init()
    };
    // A second start in one process (tests) keeps the first subscriber.
    drop(started);
}

/// A filter in which `encamp` stands for all rooms, and `encamp::node` for one.
fn of_rooms(filter: &str) -> String {
    let of_all = |rest: &str| ROOMS.map(|room| format!("{room}{rest}")).join(",");
    let words = filter.split(',').map(|word| match word.trim().strip_prefix("encamp") {
        Some(rest) if rest.is_empty() || rest.starts_with(['=', '[']) => of_all(rest),
        Some(rest) => rest.strip_prefix("::").map_or_else(|| word.to_owned(), str::to_owned),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(",")
}

/// Colours are for people at a terminal who have not asked for none.
fn colours() -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_unwanted && std::io::stderr().is_terminal()
}

async fn cancel_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("cannot listen for signals");
        return;
    };
    loop {
        tokio::select! { biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(130);
        }
        stop.cancel();
    }
}

/// Reads HOST:PORT; a name such as `localhost` is looked up.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("not HOST:PORT: {error}"))?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// Says aloud that others than this machine reach a listener.
pub(super) fn warn_if_open(listening: Listening) {
    if let Some(warning) = exposure::warning(listening) {
        tracing::warn!("{warning}");
    }
}

/// Opens a listener.
pub(super) async fn listen(bind: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(bind)
        .await
        .map_err(|error| StartError::failed(format!("cannot listen on {bind}: {error}")))
}

/// The machine's name.
pub(super) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encamp_stands_for_its_rooms() {
        let all = of_rooms("encamp=debug");
        assert!(all.starts_with("api=debug,cache=debug,") && all.ends_with(",store=debug"), "{all}");
        let table = [
            ("info", "info"),
            ("warn,encamp::node::feed=trace,hyper=off", "warn,node::feed=trace,hyper=off"),
            ("encamp::store", "store"),
            ("encampment=debug", "encampment=debug"),
        ];
        table.iter().for_each(|(asked, expected)| assert_eq!(of_rooms(asked), *expected));
    }
}
