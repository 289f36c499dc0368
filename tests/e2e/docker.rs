//! A docker daemon, where one answers, and an image made of nothing but busybox.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

/// The image the scenarios run: no registry knows it.
pub const IMAGE: &str = "encamp-e2e:1";

/// Whether a daemon answers; says so in the output of the test where none does.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub fn is_available() -> bool {
    let answers = docker(&["version"]).is_ok_and(|output| output.status.success());
    if !answers {
        eprintln!("skipped: no dockerd answers");
    }
    answers
}

/// Makes the image out of the machine's static busybox.
pub fn make_image(directory: &Path) {
    let bin = directory.join("image/bin");
    fs::create_dir_all(&bin).expect("a new directory can be made");
    fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox is installed");
    for applet in ["sh", "httpd", "echo", "sleep", "mkdir"] {
        symlink("busybox", bin.join(applet)).expect("a new directory takes links");
    }
    let archive = directory.join("image.tar");
    let packed =
        Command::new("tar").arg("-C").arg(directory.join("image")).arg("-cf").arg(&archive).arg(".").status();
    assert!(packed.expect("tar is installed").success());
    let imported = docker(&["import", archive.to_str().expect("the path is plain text"), IMAGE]);
    assert!(imported.expect("docker is installed").status.success(), "the image could not be imported");
}

/// The containers whose name or labels hold `word`, by their ids.
pub fn containers_of(word: &str) -> Vec<String> {
    let output = docker(&["ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Labels}}"])
        .expect("docker is installed");
    let list = String::from_utf8_lossy(&output.stdout);
    let ours = list.lines().filter(|line| line.contains(word));
    ours.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Removes the containers of a test that failed before it could.
pub struct Sweep<'a>(pub &'a str);

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        for container in containers_of(self.0) {
            // It may go by itself between the look and the removal: then there is nothing to remove.
            let _gone_either_way = docker(&["rm", "-f", &container]);
        }
    }
}

fn docker(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output()
}
