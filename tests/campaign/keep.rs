//! The logs of a run that broke a rule are kept, for whoever looks for the cause.

use std::{fs, path::Path};

use super::{judge::Verdict, stand::Stand};

/// Keeps the logs of all processes below the target directory, if there is something to explain.
pub fn logs(stand: &Stand, verdict: &Verdict, name: &str) {
    if verdict.violations.is_empty() {
        return;
    }
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("campaign").join(name);
    fs::create_dir_all(&to).expect("the target directory can be written");
    fs::write(to.join("violations"), verdict.violations.join("\n"))
        .expect("the target directory can be written");
    for (process, log) in stand.logs() {
        fs::write(to.join(format!("{process}.log")), log).expect("the target directory can be written");
    }
}
