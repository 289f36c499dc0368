//! What happened, line by line, and one number that stands for all of it.

use std::hash::{DefaultHasher, Hasher};

use encamp::store::Batch;
use schemas::entry::Change;
use tokio::time::Instant;

/// The story of one seed.
pub(crate) struct Trace {
    begin: Instant,
    digest: DefaultHasher,
    /// One line for each thing that happened, beats left out.
    pub(crate) lines: Vec<String>,
}

impl Trace {
    /// A story that begins now.
    pub(crate) fn new() -> Trace {
        Trace { begin: Instant::now(), digest: DefaultHasher::new(), lines: Vec::new() }
    }

    /// Something happened.
    pub(crate) fn say(&mut self, what: impl AsRef<str>) {
        let at = self.begin.elapsed();
        let line = format!("{:>7.1}s  {}", at.as_secs_f64(), what.as_ref());
        self.digest.write(line.as_bytes());
        self.lines.push(line);
    }

    /// A revision of the store.
    pub(crate) fn revision(&mut self, batch: &Batch) {
        for change in &batch.changes {
            let text = match change {
                Change::Put(entry) => plan::Write::Put { key: entry.key.clone(), value: entry.value.clone() },
                Change::Delete { key } => plan::Write::Delete { key: key.clone() },
            };
            if change.key().kind() == "beats" {
                self.digest.write(text.to_string().as_bytes());
                continue;
            }
            self.say(format!("r{} {text}", batch.revision));
        }
    }

    /// Stands for every byte of the story.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// The last lines.
    pub(crate) fn tail(&self, lines: usize) -> String {
        self.lines[self.lines.len().saturating_sub(lines)..].join("\n")
    }
}
