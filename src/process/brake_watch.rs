//! Tells operators of this process when the brake on mass loss holds: in its log and its metrics.

use schemas::key::Key;
use schemas::liveness::Brake;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use cache::Cache;

/// Follows the brake until told to stop.
pub(super) async fn watch_brake(cache: Cache, stop: CancellationToken) {
    let mut changes = cache.subscribe();
    let mut known = Brake::default();
    loop {
        let brake = cache.view().brakes.get(&Key::brake()).cloned().unwrap_or_default();
        if brake != known {
            tell(&known, &brake);
            known = brake;
        }
        let is_over = loop {
            tokio::select! { biased;
                () = stop.cancelled() => break true,
                next = changes.recv() => match next {
                    Ok(pulse) if pulse.keys().any(|key| key.kind() == "brakes") => break false,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break false,
                    Err(RecvError::Closed) => break true,
                },
            }
        };
        if is_over {
            return;
        }
    }
}

fn tell(old: &Brake, new: &Brake) {
    let waiting = new.waiting.len();
    telemetry::BRAKE_HOLDS.set(i64::from(new.since.is_some()));
    telemetry::BRAKE_WAITING.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    match (old.since, new.since) {
        (None, Some(_)) => tracing::warn!(
            waiting,
            "many nodes fell silent at once: the brake holds; `encamp operator brake release` lets them go"
        ),
        (Some(_), None) => tracing::info!("the brake no longer holds"),
        (_, _) => {}
    }
}
