//! Tells stories: each on a runtime of its own whose time is only said.

use crate::stage::{Broken, Stage};

/// Tells what happens in one cluster. Gives the number that stands for the story, or all that was wrong.
pub(crate) fn told(
    cluster: impl FnOnce() -> Stage,
    happen: impl AsyncFnOnce(&mut Stage) -> Result<(), Broken>,
) -> Result<u64, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut stage = cluster();
        let outcome = happen(&mut stage).await;
        if let Some(path) = std::env::var_os("WORLD_TRACE") {
            std::fs::write(path, stage.trace.tail(usize::MAX)).unwrap();
        }
        if outcome.is_ok() {
            return Ok(stage.trace.digest());
        }
        let lines = if std::env::var_os("WORLD_SEED").is_some() { usize::MAX } else { 40 };
        Err(format!("{}\n{}", stage.checker.breaches.join("\n"), stage.trace.tail(lines)))
    })
}
