//! Living nodes that were once declared dead: each case is a pause, a stall or an order of starts after which twelve
//! tasks must be the processes that they were. One case is a real death, so that the judge is known to see one.

use std::{collections::BTreeSet, time::Duration};

use super::{
    chaos::panics,
    judge::Verdict,
    keep,
    recorder::{Life, Recorder},
    schedule::Victim::{Agent, Etcd, Server},
    stand::{Shape, Stand},
    wanted::until_as_wanted,
    workload,
};

const TASKS: usize = 12;
const JOB: &str = "quiet";
/// How long a cluster has to recover before the same is done to another part of it.
const BETWEEN: f64 = 7.0;
/// Whoever is not ready by then never will be.
const NEVER: Duration = Duration::from_secs(60);
/// A node is called dead after six seconds without a beat, by its server or for its server's silence: whatever comes
/// late of a case has come by then.
pub const AFTERMATH: Duration = Duration::from_secs(14);
/// For silence that a server tells of six seconds after it was thawed.
pub const SHORT_AFTERMATH: Duration = Duration::from_secs(8);
/// A node that is really dead is replaced within this.
const DEATH: Duration = Duration::from_secs(15);

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Both servers in turn are paused for less than the grace, so that agents go from one to the other and back.
    ServerPausedShortly,
    /// An agent is killed and started again while etcd is paused.
    AgentRestartedWhileStoreStalls,
    /// The only server is paused for much more than the grace.
    OnlyServerPaused,
    /// The only server is killed, and started again after much more than the grace.
    OnlyServerAway,
    /// Both servers are paused.
    BothServersPaused,
    /// Everything is paused, as on a machine that sleeps.
    AllPaused,
    /// Everything is killed; the agents come back long after the server.
    AgentsComeBackLate,
    /// etcd stalls right after a server took over.
    StoreStallsAfterTakingOffice,
    /// An agent dies with its tasks, for good.
    NodeDies,
}

impl Case {
    /// All of them.
    pub const ALL: [Case; 9] = [
        Case::ServerPausedShortly,
        Case::AgentRestartedWhileStoreStalls,
        Case::OnlyServerPaused,
        Case::OnlyServerAway,
        Case::BothServersPaused,
        Case::AllPaused,
        Case::AgentsComeBackLate,
        Case::StoreStallsAfterTakingOffice,
        Case::NodeDies,
    ];

    fn shape(self) -> Shape {
        let servers = match self {
            Case::OnlyServerPaused | Case::OnlyServerAway | Case::AgentsComeBackLate | Case::NodeDies => 1,
            Case::ServerPausedShortly
            | Case::AgentRestartedWhileStoreStalls
            | Case::BothServersPaused
            | Case::AllPaused
            | Case::StoreStallsAfterTakingOffice => 2,
        };
        Shape { etcd: 1, servers, agents: 3 }
    }

    /// Lets the case happen.
    async fn happen(self, stand: &mut Stand) {
        let Shape { servers, agents, .. } = self.shape();
        let servers: Vec<_> = (0..servers).map(Server).collect();
        let agents: Vec<_> = (0..agents).map(Agent).collect();
        match self {
            Case::ServerPausedShortly => {
                for (server, lasting) in [(0, 2.6), (1, 3.6), (0, 3.6), (1, 2.6)] {
                    pause(stand, &[Server(server)], lasting).await;
                    sleep(1.1).await;
                }
            }
            Case::AgentRestartedWhileStoreStalls => {
                for (agent, stall) in [(0, 8.0), (1, 10.0)] {
                    stand.freeze(Etcd(0));
                    stand.kill_9(Agent(agent));
                    stand.start_again(Agent(agent));
                    sleep(stall).await;
                    stand.thaw(Etcd(0));
                    sleep(BETWEEN).await;
                }
            }
            Case::OnlyServerPaused => pause(stand, &servers, 20.0).await,
            Case::OnlyServerAway => {
                stand.kill_9(Server(0));
                sleep(20.0).await;
                stand.start_again(Server(0));
            }
            // Whoever goes on first finds the other silent.
            Case::BothServersPaused => {
                for first in [0, 1] {
                    servers.iter().for_each(|victim| stand.freeze(*victim));
                    sleep(8.0).await;
                    stand.thaw(Server(first));
                    sleep(0.3).await;
                    stand.thaw(Server(1 - first));
                    sleep(BETWEEN).await;
                }
            }
            Case::AllPaused => pause(stand, &[servers, agents, vec![Etcd(0)]].concat(), 10.0).await,
            Case::AgentsComeBackLate => {
                agents.iter().chain(&servers).for_each(|victim| stand.kill_9(*victim));
                stand.start_again(Server(0));
                sleep(12.0).await;
                agents.iter().for_each(|victim| stand.start_again(*victim));
            }
            Case::StoreStallsAfterTakingOffice => {
                // Asked to end it resigns at once: its successor has not heard one beat of its nodes yet.
                stand.terminate(Server(0));
                until_it_leads(stand, "s1").await;
                pause(stand, &[Etcd(0)], 9.0).await;
                stand.start_again(Server(0));
            }
            Case::NodeDies => stand.kill_node(0),
        }
    }
}

/// How many of twelve were kept, and all that went wrong until `aftermath` was over.
pub async fn run(case: Case, aftermath: Duration) -> Verdict {
    let mut stand = Stand::start(case.shape()).await;
    let (_, mark) = stand.mark();
    let recorder = Recorder::start(&mark, [].into());
    let made = stand.client.apply(&workload::sleepers(JOB, TASKS, 1, &mark), NEVER).await;
    assert!(matches!(made, super::client::Outcome::Acknowledged { .. }), "{made:?}");
    let ready = until_as_wanted(&stand.client, &recorder, NEVER).await;
    assert!(ready.is_ok(), "nothing has happened yet: {ready:?}\n{}", stand.last_words());
    let before: Vec<Life> = recorder.record().alive().cloned().collect();

    case.happen(&mut stand).await;
    if case == Case::NodeDies {
        return death(&stand, &recorder, &before).await;
    }
    tokio::time::sleep(aftermath).await;
    let settled = until_as_wanted(&stand.client, &recorder, NEVER).await;
    let record = recorder.record();
    let alive: BTreeSet<_> = record.alive().map(|life| &life.identity).collect();
    let kept = before.iter().filter(|life| alive.contains(&life.identity)).count();
    let mut violations = panics(&stand);
    violations.extend(settled.err().map(|why| format!("never as wanted: {why}")));
    violations.extend(record.sights.iter().map(|sight| sight.what.clone()));
    let more = record.lives.len() - TASKS;
    if (kept, more) != (TASKS, 0) {
        violations.push(format!("{kept} of {TASKS} kept their processes, {more} began anew"));
    }
    let verdict = Verdict { violations, totals: format!("{case:?}: {kept} of {TASKS} untouched") };
    keep::logs(&stand, &verdict, &format!("liveness-{case:?}"));
    verdict
}

/// A real death is seen, and what died runs elsewhere.
async fn death(stand: &Stand, recorder: &Recorder, before: &[Life]) -> Verdict {
    let alive = recorder.until(|record| record.alive().count() < TASKS).await;
    let lost = TASKS - alive;
    let replaced = until_as_wanted(&stand.client, recorder, NEVER).await;
    let record = recorder.record();
    let others: BTreeSet<_> = record.alive().map(|life| &life.identity).collect();
    let kept = before.iter().filter(|life| others.contains(&life.identity)).count();
    let mut violations = panics(stand);
    match &replaced {
        Ok(took) if *took > DEATH => {
            violations.push(format!("replaced only after {:.1} s", took.as_secs_f64()));
        }
        Ok(_) => {}
        Err(why) => violations.push(format!("a dead node's tasks were never replaced: {why}")),
    }
    if kept + lost != TASKS || lost == 0 {
        violations.push(format!("{lost} of {TASKS} died and {kept} were kept"));
    }
    let took = replaced.map_or("never".to_owned(), |took| format!("after {:.1} s", took.as_secs_f64()));
    let verdict =
        Verdict { violations, totals: format!("NodeDies: {lost} of {TASKS} died, replaced {took}") };
    keep::logs(stand, &verdict, "liveness-NodeDies");
    verdict
}

async fn pause(stand: &mut Stand, victims: &[super::schedule::Victim], seconds: f64) {
    victims.iter().for_each(|victim| stand.freeze(*victim));
    sleep(seconds).await;
    victims.iter().for_each(|victim| stand.thaw(*victim));
}

async fn sleep(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Waits until a server says that it judges nodes.
async fn until_it_leads(stand: &Stand, server: &str) {
    crate::wait::until(crate::wait::STEP, "another server to take over", async || {
        let logs = stand.logs();
        let log =
            logs.iter().find(|(name, _)| name == server).map(|(_, log)| log.as_str()).unwrap_or_default();
        let leads = log.lines().any(|line| line.contains("leading") && line.contains("heartbeat"));
        if leads { Ok(()) } else { Err("it does not lead".to_owned()) }
    })
    .await;
}
