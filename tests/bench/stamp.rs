//! The measured task: writes the time into a file as the first thing it does, and stays.

use std::time::{Duration, SystemTime};

const WORD: &str = "--stamp";

/// The file to write, if this process is a measured task.
pub fn asked(arguments: impl Iterator<Item = String>) -> Option<String> {
    let mut arguments = arguments.skip(1);
    (arguments.next()? == WORD).then(|| arguments.next())?
}

/// Runs the task.
pub fn run(file: &str) {
    let now = now();
    // Renamed when whole: who waits for the file finds the time in it.
    let unfinished = format!("{file}.{}", std::process::id());
    std::fs::write(&unfinished, now.as_nanos().to_string()).expect("the folder of stamps can be written");
    std::fs::rename(unfinished, file).expect("the folder of stamps can be written");
    std::thread::sleep(Duration::from_hours(1));
}

/// The command and arguments of a measured task.
pub fn command(file: &std::path::Path) -> (String, Vec<String>) {
    let program = std::env::current_exe().expect("a running program has a file");
    let text = |path: &std::path::Path| path.to_str().expect("the path is plain text").to_owned();
    (text(&program), vec![WORD.to_owned(), text(file)])
}

/// When a task began, once it has written it.
pub fn read(file: &std::path::Path) -> Option<Duration> {
    let nanoseconds = std::fs::read_to_string(file).ok()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The time by the clock that all processes of this machine share.
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970")
}
