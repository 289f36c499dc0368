//! Looks after the room in etcd: says how much there is, and makes more when it ends.
//!
//! Each server looks once a second. When growth nears the reserve, all history is forgotten; if the file is then mostly
//! air, its free space is given back. When etcd has raised its alarm NOSPACE, which it never lowers by itself, both
//! are done and the alarm is lowered, if that won any room. If it did not, too much lives: under the alarm nothing but
//! deletes goes through, so the next attempt is made when the revision has moved on, or after a minute.

use std::time::{Duration, Instant};

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, CompactionOptions, StatusResponse};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::members::Failure;
use super::store::Etcd;
use super::{connect, failure};
use crate::room::Measure;

/// How long a compaction that waits for its end, or one member's defragmentation, may take.
const WORK_TIME: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two attempts while something changes, and while nothing does.
const ATTEMPTS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// A member stands still while it is defragmented.
const DEFRAGMENT_EVERY: Duration = Duration::from_secs(60);
/// How often etcd is asked for its quota.
const QUOTA_EVERY: Duration = Duration::from_secs(60);
/// etcd's own quota unless it is told another.
const DEFAULT_QUOTA: u64 = 2 * 1024 * 1024 * 1024;
/// What must be free below the quota, as a share of it, for the alarm to be lowered: else it is raised again at once.
const WORTH_SHARE: u64 = 32;

/// What is remembered between two looks.
#[derive(Default)]
struct Keeper {
    quota: Option<(u64, Instant)>,
    attempt: Option<(Instant, i64)>,
    defragmented: Option<Instant>,
}

impl Etcd {
    /// Says how much room there is, and makes room where it ends; until told to stop.
    pub async fn make_room(&self, stop: CancellationToken) {
        let mut keeper = Keeper::default();
        loop {
            if let Err(failure) = self.look_after(&mut keeper).await {
                warn!(why = failure.explain(), "no room was made in etcd");
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = self.room().needed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look_after(&self, keeper: &mut Keeper) -> Result<(), Failure> {
        // A member that does not answer now is asked again later.
        let Ok(status) = self.status().await else { return Ok(()) };
        let quota_bytes = self.quota(keeper, &status).await;
        let now = measure(&status, quota_bytes);
        let revision = status.header().map(etcd_client::ResponseHeader::revision).unwrap_or_default();
        let pause = keeper.attempt.map_or(ATTEMPTS.0, |(_, tried)| {
            if now.is_closed && tried == revision { ATTEMPTS.1 } else { ATTEMPTS.0 }
        });
        let is_due = keeper.attempt.is_none_or(|(at, _)| at.elapsed() >= pause);
        if now.growth_bytes() >= now.reserve_bytes() || !is_due {
            self.tell(now);
            return Ok(());
        }
        keeper.attempt = Some((Instant::now(), revision));
        let made = self.make(now, &status, keeper).await;
        let status = self.status().await?;
        self.tell(measure(&status, quota_bytes));
        made
    }

    /// Makes what room can be made.
    async fn make(&self, now: Measure, status: &StatusResponse, keeper: &mut Keeper) -> Result<(), Failure> {
        if now.is_closed {
            let Measure { file_bytes, used_bytes, .. } = now;
            error!(file_bytes, used_bytes, "etcd is full and refuses writes (alarm NOSPACE); making room");
        }
        self.forget_all(status).await?;
        let after = measure(&self.status().await?, now.quota_bytes);
        let air = after.file_bytes.saturating_sub(after.used_bytes);
        let is_rested = keeper.defragmented.is_none_or(|at| at.elapsed() >= DEFRAGMENT_EVERY);
        // Right after a compaction etcd may still count the freed pages as used, so under the alarm nobody asks.
        if now.is_closed || (air >= now.reserve_bytes() && is_near_its_end(after) && is_rested) {
            keeper.defragmented = Some(Instant::now());
            self.members().each(WORK_TIME, defragment).await?;
        }
        if now.is_closed { self.open_again(now.quota_bytes).await } else { Ok(()) }
    }

    /// Lowers the alarm if there is room for what comes next.
    async fn open_again(&self, quota_bytes: u64) -> Result<(), Failure> {
        let now = measure(&self.status().await?, quota_bytes);
        if now.file_bytes + quota_bytes / WORTH_SHARE > quota_bytes {
            error!(
                file_bytes = now.file_bytes,
                "etcd is full of documents that live: delete some, or raise its quota"
            );
            return Ok(());
        }
        let alarms = self.members().call(|client| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::None, None).await
        });
        for alarm in alarms.await?.alarms() {
            if alarm.alarm() == AlarmType::Nospace {
                self.lower(alarm.member_id()).await?;
            }
        }
        info!(file_bytes = now.file_bytes, used_bytes = now.used_bytes, "etcd takes writes again");
        Ok(())
    }

    fn tell(&self, now: Measure) {
        let left = i64::try_from(now.growth_bytes()).unwrap_or(i64::MAX);
        telemetry::STORE_GROWTH_BYTES.set(left);
        telemetry::STORE_FULL.set(i64::from(left == 0));
        let is_news = self.room().shortage().is_some() != (left == 0);
        self.room().see(now);
        match self.room().shortage() {
            Some(why) if is_news => error!("the store is full: {why}; only what ends and reports is written"),
            None if is_news => info!(left, "the store has room again"),
            Some(_) | None => {}
        }
    }

    /// How large etcd's file may become: as we are told, as etcd says, or as etcd does unless it is told otherwise.
    async fn quota(&self, keeper: &mut Keeper, status: &StatusResponse) -> u64 {
        let options = self.members().options();
        let told =
            options.quota_bytes.or(u64::try_from(status.db_size_quota()).ok().filter(|quota| *quota > 0));
        if let Some(told) = told {
            return told;
        }
        if let Some((quota, at)) = keeper.quota
            && at.elapsed() < QUOTA_EVERY
        {
            return quota;
        }
        let asked = connect::quota(self.members().current(), options).await;
        let quota = asked.or(keeper.quota.map(|(quota, _)| quota)).unwrap_or(DEFAULT_QUOTA);
        keeper.quota = Some((quota, Instant::now()));
        quota
    }

    /// Compacts up to now and waits until that is done. A watch that had not seen all lists again.
    async fn forget_all(&self, status: &StatusResponse) -> Result<(), Failure> {
        let Some(at) = status.header().map(etcd_client::ResponseHeader::revision) else { return Ok(()) };
        let compact = |client: Client| async move {
            client.kv_client().compact(at, Some(CompactionOptions::new().with_physical())).await
        };
        match self.members().call_within(WORK_TIME, compact).await {
            Err(failure) if !failure::is_out_of_history(&failure) => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn lower(&self, member: u64) -> Result<(), Failure> {
        let lower = |client: Client| async move {
            let mut options = AlarmOptions::new();
            options.with_member(member);
            let nospace = AlarmType::Nospace;
            client.maintenance_client().alarm(AlarmAction::Deactivate, nospace, Some(options)).await
        };
        self.members().call(lower).await.map(drop)
    }
}

/// Whether what is free before the end of the file is of little use.
fn is_near_its_end(now: Measure) -> bool {
    now.quota_bytes.saturating_sub(now.file_bytes) < now.reserve_bytes()
}

fn measure(status: &StatusResponse, quota_bytes: u64) -> Measure {
    let bytes = |number: i64| u64::try_from(number).unwrap_or_default();
    Measure {
        quota_bytes,
        file_bytes: bytes(status.db_size()),
        used_bytes: bytes(status.raft_used_db_size()),
        is_closed: status.errors().iter().any(|word| word.contains("NOSPACE")),
    }
}

/// Gives the free pages of one member's file back. It stands still meanwhile, but a full one serves little anyway.
async fn defragment(client: Client) -> Result<(), etcd_client::Error> {
    client.maintenance_client().defragment().await.map(drop)
}
