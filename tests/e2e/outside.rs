//! A client of a service, who knows only what the API says of its addresses and asks without pause.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::api::Api;

/// What a client saw while it was asking.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests that were answered well.
    pub answered: u64,
    /// What went wrong, each with the address that was asked.
    pub failed: Vec<String>,
    /// The fewest instances that answered in one round.
    pub fewest: usize,
    /// All that was ever answered.
    pub answers: BTreeSet<String>,
}

impl Seen {
    /// No request failed, enough instances answered at any time, and these were all the answers.
    #[track_caller]
    pub fn assert_served(&self, fewest: usize, answers: &[&str]) {
        let Seen { answered, failed, fewest: seen, answers: given } = self;
        assert!(failed.is_empty(), "{} of {answered} requests failed: {failed:#?}", failed.len());
        assert!(*seen >= fewest, "only {seen} instances answered at a time");
        assert!(given.iter().eq(answers), "{given:?} are not {answers:?}");
    }
}

/// A client that asks every instance of a job in turn until it is stopped.
pub struct Client {
    task: JoinHandle<Seen>,
    stop: Arc<AtomicBool>,
}

/// Far more than an answer over loopback takes, far less than a rollout.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN_ROUNDS: Duration = Duration::from_millis(30);

impl Client {
    /// Starts asking the healthy instances of `job`.
    pub fn of(api: &Api, job: &str) -> Client {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(ask_until_stopped(api.clone(), job.to_owned(), Arc::clone(&stop)));
        Client { task, stop }
    }

    /// Stops and tells what was seen.
    pub async fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the client does not panic")
    }
}

async fn ask_until_stopped(api: Api, job: String, stop: Arc<AtomicBool>) -> Seen {
    let web =
        reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).build().expect("plain HTTP");
    let mut seen = Seen { fewest: usize::MAX, ..Seen::default() };
    while !stop.load(Ordering::Relaxed) {
        // While the server is away, the addresses known last are still good.
        let Ok(allocations) = api.allocations(&job).await else { continue };
        let mut round = 0;
        for address in allocations.iter().filter(|one| one.is_serving()).filter_map(|one| one.address("http"))
        {
            match ask(&web, &address).await {
                Ok(answer) => {
                    round += 1;
                    seen.answers.insert(answer);
                }
                Err(error) => seen.failed.push(format!("{address}: {error}")),
            }
        }
        seen.answered += round as u64;
        seen.fewest = seen.fewest.min(round);
        tokio::time::sleep(BETWEEN_ROUNDS).await;
    }
    seen
}

/// One request; the answer without its line end.
pub async fn ask(web: &reqwest::Client, address: &str) -> Result<String, String> {
    let answer = web.get(format!("http://{address}/")).send().await.map_err(|error| format!("{error:?}"))?;
    let answer = answer.error_for_status().map_err(|error| error.to_string())?;
    Ok(answer.text().await.map_err(|error| error.to_string())?.trim().to_owned())
}
