//! The files that a job file reads by `file("…")`. As in Nomad, relative paths begin at the job file's own folder,
//! and only the command line reads them: they are the user's, not the server's.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemas::text::{Files, MAX_BYTES};

/// The files of the machine, seen from the folder of a job file.
#[derive(Debug)]
pub(super) struct Beside;

impl Files for Beside {
    fn read(&self, text: &str, path: &str) -> Result<Vec<u8>, String> {
        let place = place(text, path);
        let failed = |error: std::io::Error| format!("{}: {error}", place.display());
        let file = File::open(&place).map_err(failed)?;
        let most = u64::try_from(MAX_BYTES).expect("a limit of a text fits into 64 bits");
        let mut bytes = Vec::new();
        // One byte more than is allowed tells that there is more, even of a file without a length.
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > MAX_BYTES {
            let limit =
                format!("is larger than {MAX_BYTES} bytes, which is the most that a whole job may have");
            return Err(format!("{} {limit}; let the task fetch it", place.display()));
        }
        Ok(bytes)
    }

    fn exists(&self, text: &str, path: &str) -> bool {
        place(text, path).is_file()
    }
}

/// Where a path leads that stands in the text of that name; stdin stands in the current folder.
fn place(text: &str, path: &str) -> PathBuf {
    let home = std::env::home_dir().filter(|_| path.starts_with("~/"));
    match (home, path.strip_prefix("~/")) {
        (Some(home), Some(rest)) => home.join(rest),
        (Some(_) | None, _) => Path::new(text).parent().unwrap_or(Path::new("")).join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_folder_of_the_job_file() {
        let table =
            [("jobs/web.hcl", "motd"), ("web.hcl", "motd"), ("-", "motd"), ("jobs/web.hcl", "/etc/motd")];
        let places = table.map(|(text, path)| place(text, path).display().to_string());
        assert_eq!(places, ["jobs/motd", "motd", "motd", "/etc/motd"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("web.hcl").display().to_string();
        std::fs::write(folder.path().join("motd"), "hello").unwrap();
        std::fs::write(folder.path().join("image"), vec![0; MAX_BYTES + 1]).unwrap();
        assert_eq!(Beside.read(&text, "motd").unwrap(), b"hello");
        assert!(
            Beside.exists(&text, "motd") && !Beside.exists(&text, "nothing") && !Beside.exists(&text, ".")
        );
        let large = Beside.read(&text, "image").unwrap_err();
        assert!(large.contains("/image is larger than 1048576 bytes"), "{large}");
        let missing = Beside.read(&text, "nothing").unwrap_err();
        assert!(missing.contains("/nothing: No such file"), "{missing}");
        let endless = Beside.read(&text, "/dev/zero").unwrap_err();
        assert!(endless.contains("is larger"), "{endless}");
    }
}
