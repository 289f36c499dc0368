//! One test of a check: a request, a connection, or a command in the task.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use schemas::placement::Placement;
use schemas::service::{Check, CheckType, Service};

use super::drivers::contract::{ExecCommand, ExecOutput};
use super::drivers::{Driver, TaskId};

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
    /// Whether it passes before the first test.
    pub passes_at_first: bool,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A request whose status must be 2xx.
    Http {
        /// The method.
        method: String,
        /// Where.
        url: String,
        /// Its headers.
        headers: BTreeMap<String, Vec<String>>,
        /// Its body.
        body: String,
        /// Whether any certificate will do.
        any_certificate: bool,
    },
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
            passes_at_first: check.initial_status.as_deref() == Some("passing"),
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
        Some(CheckType::Http) => address().map(|address| Target::Http {
            method: check.method.clone().unwrap_or_else(|| "GET".to_owned()),
            url: url(check, &address),
            headers: check.headers.clone(),
            body: check.body.clone().unwrap_or_default(),
            any_certificate: check.tls_skip_verify,
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
            // A redirect is an answer, not a place to go to: the check is about this service.
            let policy = reqwest::redirect::Policy::limited(3);
            reqwest::Client::builder().redirect(policy).pool_max_idle_per_host(0).no_proxy()
        };
        let trusting = client().tls_danger_accept_invalid_certs(true).build()?;
        Ok(NetworkProber { client: client().build()?, trusting, drivers })
    }

    async fn test_http(&self, target: &Target) -> Result<String, String> {
        let Target::Http { method, url, headers, body, any_certificate } = target else {
            return Err("no request".to_owned());
        };
        let client = if *any_certificate { &self.trusting } else { &self.client };
        let method = method.parse().map_err(|_| format!("{method:?} is no method"))?;
        let mut request = client.request(method, url);
        for (name, value) in
            headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        {
            request = request.header(name, value);
        }
        let answer = request.body(body.clone()).send().await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        let line = format!("HTTP {status}: {}", cut(&text));
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

impl Prober for NetworkProber {
    fn test<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<String, String>> {
        async move {
            match target {
                Target::Http { .. } => self.test_http(target).await,
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
