//! Which process is killed or paused when, for how long: all of it decided by a seed before anything runs.
//!
//! Two promises hold at every moment: a majority of etcd and one server run, both for long enough to be of use. And no
//! silence that a cluster may rightly take for death is asked of an agent.

use std::{fmt, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// One process of the stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// A member of etcd.
    Etcd(usize),
    /// A server.
    Server(usize),
    /// The agent of a node.
    Agent(usize),
}

impl fmt::Display for Victim {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Victim::Etcd(index) => write!(to, "etcd-{index}"),
            Victim::Server(index) => write!(to, "s{index}"),
            Victim::Agent(index) => write!(to, "n{index}"),
        }
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// `kill -9`, and started again afterwards.
    Kill,
    /// SIGSTOP, and SIGCONT afterwards.
    Pause,
}

/// One process is out of order from `begins` to `ends`, counted from the start of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whom it hits.
    pub victim: Victim,
    /// How.
    pub harm: Harm,
    /// From when.
    pub begins: Duration,
    /// Until when.
    pub ends: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.harm == Harm::Kill { "killed" } else { "paused" };
        let lasting = self.ends.saturating_sub(self.begins).as_secs_f64();
        write!(to, "{:7.2} s  {} {verb} for {lasting:.2} s", self.begins.as_secs_f64(), self.victim)
    }
}

/// How much is done to what.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Members of etcd.
    pub etcd: usize,
    /// Servers.
    pub servers: usize,
    /// Agents.
    pub agents: usize,
    /// Kills and pauses.
    pub faults: u32,
    /// Over how long they are spread.
    pub over: Duration,
}

/// For a server or a member of etcd that was started or thawed to count as one that runs.
const RECOVERY: Duration = Duration::from_millis(1500);
/// The longest pause of a server or a member of etcd, and the longest time until one that was killed is started again.
const LONGEST_PAUSE: u64 = 8000;
const LONGEST_ABSENCE: u64 = 3000;
/// A node is called dead after six seconds without a beat. It beats every two, so an agent may be away for less than
/// four; one that was killed has to start as well, and while its server is away too, two seconds pass until it asks
/// the other one.
const AGENT_PAUSE: u64 = 3300;
const AGENT_ABSENCE: u64 = 1500;
const AGENT_BESIDE_SERVER: u64 = 900;
const SHORTEST: u64 = 500;

/// The faults of a seed, in the order in which they begin.
pub fn faults(seed: u64, size: &Size) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut faults: Vec<Fault> = Vec::new();
    for number in 0..size.faults {
        let slice = size.over / size.faults;
        let begins = slice * number + slice.mul_f64(random.random_range(0.0..0.9));
        let victims: Vec<Victim> =
            everybody(size).filter(|victim| may_be_hit(&faults, *victim, begins)).collect();
        if victims.is_empty() {
            continue;
        }
        let victim = victims[random.random_range(0..victims.len())];
        let harm = if random.random_bool(0.5) { Harm::Kill } else { Harm::Pause };
        let (shortest, longest) = lengths(&faults, victim, harm, begins);
        let lasting = Duration::from_millis(random.random_range(shortest..longest));
        faults.push(Fault { victim, harm, begins, ends: begins + lasting });
    }
    faults
}

/// All processes of a stand of this size.
pub fn everybody(size: &Size) -> impl Iterator<Item = Victim> {
    let etcd = (0..size.etcd).map(Victim::Etcd);
    let agents = (0..size.agents).map(Victim::Agent);
    etcd.chain((0..size.servers).map(Victim::Server)).chain(agents)
}

/// Whether the promises hold if this one goes too.
fn may_be_hit(before: &[Fault], victim: Victim, at: Duration) -> bool {
    let mut out = before.iter().filter(|fault| fault.ends + RECOVERY > at);
    match victim {
        Victim::Etcd(_) => !out.any(|fault| matches!(fault.victim, Victim::Etcd(_))),
        Victim::Server(_) => !out.any(|fault| match fault.victim {
            Victim::Server(_) => true,
            Victim::Agent(_) => fault.ends > fault.begins + Duration::from_millis(AGENT_BESIDE_SERVER),
            Victim::Etcd(_) => false,
        }),
        Victim::Agent(_) => !out.any(|fault| fault.victim == victim),
    }
}

/// The shortest and the longest time that this one may be away, in milliseconds.
fn lengths(before: &[Fault], victim: Victim, harm: Harm, at: Duration) -> (u64, u64) {
    let server_is_away =
        before.iter().any(|fault| matches!(fault.victim, Victim::Server(_)) && fault.ends + RECOVERY > at);
    match (victim, harm) {
        (Victim::Agent(_), Harm::Kill) if server_is_away => (0, AGENT_BESIDE_SERVER),
        (Victim::Agent(_), Harm::Pause) if server_is_away => (SHORTEST, AGENT_BESIDE_SERVER),
        (Victim::Agent(_), Harm::Kill) => (0, AGENT_ABSENCE),
        (Victim::Agent(_), Harm::Pause) => (SHORTEST, AGENT_PAUSE),
        (Victim::Etcd(_) | Victim::Server(_), Harm::Kill) => (0, LONGEST_ABSENCE),
        (Victim::Etcd(_) | Victim::Server(_), Harm::Pause) => (SHORTEST, LONGEST_PAUSE),
    }
}
