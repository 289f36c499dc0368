//! One test of a check: a request, a connection, or a command in the task.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::CheckStatus;
use futures::future::{BoxFuture, FutureExt};
use schemas::placement::Placement;
use schemas::service::{Check, CheckType, Service};

use drivers::contract::{ExecCommand, ExecOutput};
use drivers::{Driver, TaskId};

/// The most of an answer that is kept.
const OUTPUT_BYTES: usize = 500;

/// What is tested, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is tested.
    pub target: Target,
    /// Time between two tests.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How many successes in a row come before it passes.
    pub success_before_passing: u32,
    /// How many failures in a row come before it fails.
    pub failures_before_critical: u32,
    /// What it is before the first test.
    pub status_at_first: CheckStatus,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A request whose status must be 2xx.
    Http(HttpRequest),
    /// A connection that must be accepted, `host:port`.
    Tcp(String),
    /// A command in a task that must end with 0.
    Script {
        /// Which driver runs the task.
        driver: String,
        /// Which task.
        task: TaskId,
        /// The command.
        argv: Vec<String>,
    },
    /// Nothing can be tested, and why.
    Impossible(String),
}

/// A request to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// Where.
    pub url: String,
    /// Its headers.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Its body.
    pub body: String,
    /// Whether any certificate will do.
    pub trusts_any_certificate: bool,
}

impl Probe {
    /// What a check of an allocation tests. `task` finds the driver and id of a task by its name.
    pub(crate) fn of(
        (service, check): (&Service, &Check),
        placement: &Placement,
        host_ip: IpAddr,
        task: impl Fn(&str) -> Option<(String, TaskId)>,
    ) -> Probe {
        let seconds = |duration: Option<schemas::duration::Duration>, otherwise| {
            duration
                .map_or(Duration::from_secs(otherwise), schemas::duration::Duration::to_std)
                .max(Duration::from_millis(100))
        };
        Probe {
            target: target((service, check), placement, host_ip, task),
            interval: seconds(check.interval, 10),
            timeout: seconds(check.timeout, 5),
            success_before_passing: check.success_before_passing,
            failures_before_critical: check.failures_before_critical,
            status_at_first: match check.initial_status.as_deref() {
                Some("passing") => CheckStatus::Passing,
                Some(_) | None => CheckStatus::Pending,
            },
        }
    }
}

fn target(
    (service, check): (&Service, &Check),
    placement: &Placement,
    host_ip: IpAddr,
    task: impl Fn(&str) -> Option<(String, TaskId)>,
) -> Target {
    let address = || {
        let label = check.port.as_deref().or(service.port.as_deref()).unwrap_or_default();
        let claimed = placement.ports.iter().find(|claim| claim.label == label).map(|claim| claim.host_port);
        let port = claimed
            .or_else(|| label.parse().ok())
            .ok_or_else(|| format!("the group has no port {label:?}"))?;
        Ok::<String, String>(std::net::SocketAddr::from((host_ip, port)).to_string())
    };
    let found = match check.check_type {
        Some(CheckType::Tcp) => address().map(Target::Tcp),
        Some(CheckType::Http) => address().map(|address| {
            Target::Http(HttpRequest {
                method: check.method.clone().unwrap_or_else(|| "GET".to_owned()),
                url: url(check, &address),
                headers: check.headers.clone(),
                body: check.body.clone().unwrap_or_default(),
                trusts_any_certificate: check.tls_skip_verify,
            })
        }),
        Some(CheckType::Script) => {
            let name = check.task.as_deref().or(service.task.as_deref()).unwrap_or_default();
            let found = task(name).ok_or_else(|| format!("the group has no task {name:?}"));
            found.map(|(driver, task)| Target::Script {
                driver,
                task,
                argv: check.command.iter().chain(&check.args).cloned().collect(),
            })
        }
        Some(CheckType::Grpc) => Err("checks of type grpc cannot be run by this agent".to_owned()),
        None => Err("the check has no type".to_owned()),
    };
    found.unwrap_or_else(Target::Impossible)
}

fn url(check: &Check, address: &str) -> String {
    let protocol = check.protocol.as_deref().unwrap_or("http");
    let path = check.path.as_deref().unwrap_or("/");
    format!("{protocol}://{address}/{}", path.trim_start_matches('/'))
}

/// Runs tests. A simulation answers what it likes.
pub trait Prober: Send + Sync + 'static {
    /// One test: what it says when it passes, or why it fails.
    fn test<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<String, String>>;
}

/// Tests over the network and in tasks.
pub struct NetworkProber {
    client: reqwest::Client,
    trusting: reqwest::Client,
    drivers: BTreeMap<String, Arc<dyn Driver>>,
}

impl NetworkProber {
    /// A prober that reaches into the tasks of these drivers.
    pub fn new(drivers: BTreeMap<String, Arc<dyn Driver>>) -> Result<NetworkProber, reqwest::Error> {
        let client = || {
            // Services send to a login page or a slash more; a longer chain is a mistake of the service.
            let policy = reqwest::redirect::Policy::limited(3);
            reqwest::Client::builder().redirect(policy).pool_max_idle_per_host(0).no_proxy()
        };
        let trusting = client().tls_danger_accept_invalid_certs(true).build()?;
        Ok(NetworkProber { client: client().build()?, trusting, drivers })
    }

    async fn test_http(&self, request: &HttpRequest) -> Result<String, String> {
        let HttpRequest { method, url, headers, body, trusts_any_certificate } = request;
        let client = if *trusts_any_certificate { &self.trusting } else { &self.client };
        let method = method.parse().map_err(|_| format!("{method:?} is no method"))?;
        let mut request = client.request(method, url);
        for (name, value) in
            headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        {
            request = request.header(name, value);
        }
        let answer = request.body(body.clone()).send().await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let line = format!("HTTP {status}: {}", cut(&String::from_utf8_lossy(&beginning(answer).await)));
        if status.is_success() { Ok(line) } else { Err(line) }
    }

    async fn test_script(&self, driver: &str, task: &TaskId, argv: &[String]) -> Result<String, String> {
        let driver = self.drivers.get(driver).ok_or_else(|| format!("this node has no driver {driver}"))?;
        let exec = driver.as_exec().ok_or("the task's driver runs no commands in tasks")?;
        let command = ExecCommand { argv: argv.to_vec(), terminal: None };
        let mut session = exec.exec(task, command).await.map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        while let Some(output) = session.output.recv().await {
            match output {
                ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes) if text.len() < OUTPUT_BYTES => {
                    text.extend(bytes);
                }
                ExecOutput::Stdout(_) | ExecOutput::Stderr(_) => {}
                ExecOutput::Exit(0) => return Ok(cut(&String::from_utf8_lossy(&text))),
                ExecOutput::Exit(code) => {
                    return Err(format!("exit {code}: {}", cut(&String::from_utf8_lossy(&text))));
                }
            }
        }
        Err("the command was cut off".to_owned())
    }
}

/// What is kept of an answer; the rest, which may never end, is not read. One that breaks off is as good: the status
/// has told all that matters.
async fn beginning(mut answer: reqwest::Response) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < OUTPUT_BYTES
        && let Ok(Some(bytes)) = answer.chunk().await
    {
        text.extend(bytes);
    }
    text
}

impl Prober for NetworkProber {
    fn test<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<String, String>> {
        async move {
            match target {
                Target::Http(request) => self.test_http(request).await,
                Target::Tcp(address) => match tokio::net::TcpStream::connect(address).await {
                    Ok(_) => Ok(format!("connected to {address}")),
                    Err(error) => Err(format!("{address}: {error}")),
                },
                Target::Script { driver, task, argv } => self.test_script(driver, task, argv).await,
                Target::Impossible(why) => Err(why.clone()),
            }
        }
        .boxed()
    }
}

/// An error with its causes: the first alone says only that a request failed.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    cut(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(OUTPUT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn an_answer_without_end_passes_by_its_status() {
        let line = || Ok::<_, std::io::Error>("on and on ");
        let endless = move || async move { Body::from_stream(futures::stream::repeat_with(line)) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server =
            tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(endless))).await });
        let request = HttpRequest {
            method: "GET".into(),
            url,
            headers: BTreeMap::new(),
            body: String::new(),
            trusts_any_certificate: false,
        };
        let prober = NetworkProber::new(BTreeMap::new()).unwrap();
        let target = Target::Http(request);
        let answer = tokio::time::timeout(Duration::from_secs(20), prober.test(&target)).await;
        server.abort();
        let line = answer.expect("the test reads for ever").unwrap();
        assert!(line.starts_with("HTTP 200 OK: on and on") && line.len() < 2 * OUTPUT_BYTES, "{line}");
    }
}
