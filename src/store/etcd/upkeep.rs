//! What etcd leaves to its users: forgetting old history, and coming back after it was full.
//!
//! [`Etcd::forget`] compacts at the pace of [`Pace`]. etcd drops the event of a delete when it compacts at that
//! very revision (before 3.4.36), but only for watches that begin there, and ours begin after it.
//! [`Etcd::make_room`] acts when etcd has raised its alarm NOSPACE, which it never lowers by itself: forget all
//! history, give the freed space of each member's file back, lower the alarm. What still fails then is too much
//! that lives; deletes work all the time, and the next attempt finds their room.

use std::time::{Duration, Instant};

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, CompactionOptions, StatusResponse};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::failure;
use super::members::Failure;
use super::pace::{Look, Pace};
use super::store::Etcd;
use super::words::revision;
use crate::telemetry;

/// How long a compaction that waits for its end, or one member's defragmentation, may take.
const WORK_TIME: Duration = Duration::from_secs(120);
/// The first and the longest pause between attempts to make room.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

impl Etcd {
    /// Lets etcd forget what is older than `keep` until told to stop. One server of a cluster is enough; two
    /// do no harm.
    pub async fn forget(&self, keep: Duration, stop: CancellationToken) {
        let (began, mut pace) = (Instant::now(), Pace::new(keep));
        while !is_stopped_within(&stop, pace.between_looks()).await {
            // Said by whoever reads or writes at this moment.
            let Ok(status) = self.status().await else { continue };
            let Some(now) = look(&status, began.elapsed()) else { continue };
            let Some(target) = pace.look(now) else { continue };
            let Ok(()) = self.compact(target).await else { continue };
            info!(up_to = %target, at = %now.revision, used_bytes = now.used_bytes, "etcd forgets");
            telemetry::ETCD_COMPACTED.set(i64::try_from(target.0).unwrap_or(i64::MAX));
            pace.compacted(target);
        }
    }

    /// Whenever etcd is full, makes room and opens it for writes again; until told to stop.
    pub async fn make_room(&self, stop: CancellationToken) {
        let mut pause = PAUSE.0;
        while !is_stopped_within(&stop, pause).await {
            pause = match self.relieve().await {
                Ok(false) => PAUSE.0,
                // It may fill again at once, if it is what lives that fills it.
                Ok(true) => (pause * 2).min(PAUSE.1),
                Err(failure) => {
                    warn!(why = failure.explain(), "no room was made in etcd");
                    (pause * 2).min(PAUSE.1)
                }
            };
        }
    }

    /// Makes room if etcd is full; says whether it was.
    async fn relieve(&self) -> Result<bool, Failure> {
        // A member that does not answer now is asked again later.
        let Ok(status) = self.status().await else { return Ok(false) };
        if !status.errors().iter().any(|word| word.contains("NOSPACE")) {
            return Ok(false);
        }
        let (file_bytes, used_bytes) = (status.db_size(), status.raft_used_db_size());
        error!(file_bytes, used_bytes, "etcd is full and refuses writes (alarm NOSPACE); making room");
        self.forget_all(&status).await?;
        self.members().each(WORK_TIME, defragment).await?;
        let alarms = self.members().call(|client| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::None, None).await
        });
        for alarm in alarms.await?.alarms() {
            if alarm.alarm() == AlarmType::Nospace {
                self.lower(alarm.member_id()).await?;
            }
        }
        let now = self.status().await?;
        info!(file_bytes = now.db_size(), used_bytes = now.raft_used_db_size(), "etcd takes writes again");
        Ok(true)
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

    async fn status(&self) -> Result<StatusResponse, Failure> {
        let status = |client: Client| async move { client.maintenance_client().status().await };
        let status = self.members().call(status).await?;
        telemetry::ETCD_BYTES.with_label_values(&["file"]).set(status.db_size());
        telemetry::ETCD_BYTES.with_label_values(&["used"]).set(status.raft_used_db_size());
        Ok(status)
    }
}

/// Gives the free pages of one member's file back. It stands still meanwhile, but a full one serves little anyway.
/// Whether it is worth it cannot be asked: right after a compaction etcd still counts the freed pages as used.
async fn defragment(client: Client) -> Result<(), etcd_client::Error> {
    client.maintenance_client().defragment().await.map(drop)
}

fn look(status: &StatusResponse, at: Duration) -> Option<Look> {
    let revision = revision(status.header()?.revision());
    Some(Look { at, revision, used_bytes: u64::try_from(status.raft_used_db_size()).ok()? })
}

async fn is_stopped_within(stop: &CancellationToken, time: Duration) -> bool {
    tokio::time::timeout(time, stop.cancelled()).await.is_ok()
}
