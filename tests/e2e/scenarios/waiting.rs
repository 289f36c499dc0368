//! A server that is started before its store can serve it.

use std::{process::Command, time::Duration};

use crate::{api::Api, etcd::Etcd, ports, process::Process, wait};

/// One of three members runs, so nobody can lead: the server lives, listens and says what it waits for. With the
/// second member it gets ready, by itself.
pub async fn for_a_leader_of_etcd() {
    let directory = tempfile::Builder::new().prefix("encamp-e2e-").tempdir().expect("/tmp can be written");
    let mut etcd = Etcd::planned(directory.path(), 3, &[]);
    etcd.spawn(0);
    let bind = format!("127.0.0.1:{}", ports::free());
    let api = Api::new(format!("http://{bind}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
    command.args(["server", "--bind", &bind, "--store", &etcd.address()]).current_dir(directory.path());
    let mut server = Process::start("server", &mut command, directory.path());

    wait::until(wait::START, "the server to say what it waits for", async || {
        assert!(server.is_running(), "the server ended\n{}", server.last_words());
        match api.is_ready().await {
            Ok(()) => Err("it says to be ready".to_owned()),
            Err(why) if why.contains("503") && why.contains("etcd at") => Ok(()),
            Err(why) => Err(why),
        }
    })
    .await;
    assert_eq!(api.is_live().await, Ok(()));
    let refused = api.list("/apis/encamp.dev/v1/nodes").await.expect_err("there is nothing to list");
    assert!(refused.contains("this server waits"), "{refused}");
    assert!(!refused.contains("not signed by"), "a certificate is blamed: {refused}");

    etcd.spawn(1);
    wait::until(wait::START, "the server to be ready", async || {
        assert!(server.is_running(), "the server ended\n{}", server.last_words());
        api.is_ready().await
    })
    .await;
    assert!(api.list("/apis/encamp.dev/v1/nodes").await.is_ok(), "{}", server.last_words());
    assert!(server.terminate(Duration::from_secs(20)), "it ends well\n{}", server.last_words());
}
