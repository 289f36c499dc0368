//! The same server, asked by our own command line.

use std::process::{Command, Output};

use plan::Write;
use schemas::key::Key;
use schemas::node::Fingerprint;

use super::stand::{Stand, WEB};

/// Runs encamp against the stand; an environment that names a proxy is no reason not to reach it.
async fn encamp(stand: &Stand, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
    command.args(words).env("ENCAMP_ADDR", &stand.address).env("HTTP_PROXY", "http://127.0.0.1:9");
    let output = tokio::process::Command::from(command).output().await.unwrap();
    let Output { status, stdout, stderr } = output;
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The same, which must go well.
async fn well(stand: &Stand, words: &[&str]) -> String {
    let (is_well, said) = encamp(stand, words).await;
    assert!(is_well, "encamp {} failed: {said}", words.join(" "));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_runs_go_as_far_as_they_say() {
    let stand = Stand::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yaml");
    std::fs::write(&path, WEB).unwrap();
    let file = path.to_str().unwrap();
    let looked = well(&stand, &["apply", "--dry-run=client", file]).await;
    assert_eq!(looked, "job \"web\" is valid (client dry run)\n");
    let shown = well(&stand, &["apply", "--dry-run=client", "-n", "team", "-o", "json", file]).await;
    assert!(shown.contains("\"namespace\": \"team\""), "{shown}");
    let foreseen = well(&stand, &["apply", "--dry-run=server", file]).await;
    assert_eq!(foreseen, "job \"web\" created (dry run)\n");
    assert!(stand.fail(&["get", "job", "web"]).await.contains("NotFound"));
    std::fs::write(&path, WEB.replace("driver: raw_exec", "driver: ''")).unwrap();
    let (is_well, said) = encamp(&stand, &["apply", "--dry-run=client", file]).await;
    assert!(!is_well && said.contains("web.yaml:"), "{said}");

    std::fs::write(&path, WEB).unwrap();
    well(&stand, &["apply", file]).await;
    let diff = well(&stand, &["diff", file]).await;
    assert_eq!(diff, "", "what is applied does not differ");
    for place in ["client", "server"] {
        let said = well(&stand, &["delete", "job", "web", &format!("--dry-run={place}")]).await;
        assert!(said.starts_with("job \"web\" deleted ("), "{said}");
        let (is_well, said) = encamp(&stand, &["delete", "job", "db", &format!("--dry-run={place}")]).await;
        assert!(!is_well && said.contains("not found"), "{said}");
    }
    assert_eq!(stand.get("{.metadata.deletionTimestamp}").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_tells_what_each_version_changed() {
    let stand = Stand::start().await;
    stand.run_with(WEB, &["apply", "-f", "-"]).await;
    stand.run_with(&WEB.replace("count: 2", "count: 3"), &["apply", "-f", "-"]).await;
    let told = well(&stand, &["job", "history", "-p", "web"]).await;
    assert!(told.contains("Version 2, the current one") && told.contains("Version 1, registered"), "{told}");
    assert!(told.contains("count: \"2\" => \"3\""), "{told}");
    let one = well(&stand, &["job", "history", "-version", "1", "web"]).await;
    assert!(one.contains("web-v1") && !one.contains("web-v2"), "{one}");
    let (is_well, said) = encamp(&stand, &["job", "history", "-p", "-version=9", "web"]).await;
    assert!(!is_well && said.contains("remembered"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_of_this_machine_is_told_by_its_name() {
    let stand = Stand::start().await;
    let (is_well, said) = encamp(&stand, &["node", "status", "-self"]).await;
    assert!(!is_well && said.contains("no node runs on a machine"), "{said}");
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let here =
        Fingerprint { attributes: [("unique.hostname".to_owned(), name)].into(), ..Fingerprint::default() };
    let writes = vec![
        Write::put(Key::fingerprint("here"), &here),
        Write::put(Key::fingerprint("there"), &Fingerprint::default()),
    ];
    stand.write(writes).await;
    let mut told = String::new();
    // The write reaches the server's picture a moment later.
    for _ in 0..100 {
        told = encamp(&stand, &["node", "status", "-self"]).await.1;
        if told.contains("here") {
            break;
        }
    }
    assert!(told.contains("= here") && !told.contains("there"), "{told}");
}
