//! What etcd leaves to its users: forgetting old history.
//!
//! [`Etcd::forget`] compacts at the pace of [`Pace`]. etcd drops the event of a delete when it compacts at that
//! very revision (before 3.4.36), but only for watches that begin there, and ours begin after it.

use std::time::{Duration, Instant};

use etcd_client::{Client, StatusResponse};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::members::Failure;
use super::pace::{Look, Pace};
use super::store::Etcd;
use super::words::revision;

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

    pub(super) async fn status(&self) -> Result<StatusResponse, Failure> {
        let status = |client: Client| async move { client.maintenance_client().status().await };
        let status = self.members().call(status).await?;
        telemetry::ETCD_BYTES.with_label_values(&["file"]).set(status.db_size());
        telemetry::ETCD_BYTES.with_label_values(&["used"]).set(status.raft_used_db_size());
        Ok(status)
    }
}

fn look(status: &StatusResponse, at: Duration) -> Option<Look> {
    let revision = revision(status.header()?.revision());
    Some(Look { at, revision, used_bytes: u64::try_from(status.raft_used_db_size()).ok()? })
}

async fn is_stopped_within(stop: &CancellationToken, time: Duration) -> bool {
    tokio::time::timeout(time, stop.cancelled()).await.is_ok()
}
