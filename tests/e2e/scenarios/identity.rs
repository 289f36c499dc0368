//! Two agents of one name, and what a `dev` that was killed leaves.

use std::{path::Path, process::Command, time::Duration};

use crate::{
    cluster::{Cluster, node},
    jobs, ports,
    process::{Identity, Process},
    scenarios::pairs,
    wait,
};

/// A second agent over the directory of one that lives is refused by name of the holder, and touches nothing.
pub async fn a_data_directory_has_one_agent(cluster: Cluster) {
    let before = pairs::start(&cluster, 1).await;
    let holder = cluster.agent(0).id();
    let refused = cluster.try_run(&agent(&cluster, "other", &cluster.path(&node(0))));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains(&format!("in use by process {holder}")), "{said}");
    cluster.assert_alive(&before);
}

/// An agent of a name that another has, over a directory of its own or a copy, runs nothing and says why; the other
/// and its tasks go on. A restart of the holder is the holder.
pub async fn a_name_has_one_agent(mut cluster: Cluster) {
    let before = pairs::start(&cluster, 1).await;
    let copy = cluster.path("copy");
    let copied = Command::new("cp").arg("-a").arg(cluster.path(&node(0))).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "the directory can be copied");
    for (name, directory) in [("second", cluster.path("second")), ("copied", copy)] {
        let mut second = cluster.start_another(name, &agent(&cluster, &node(0), &directory));
        wait::until(wait::STEP, "the second agent to be refused", async || {
            assert!(second.is_running(), "it waits to be let in\n{}", second.last_words());
            let words = second.last_words();
            if words.contains("another agent of this name lives") { Ok(()) } else { Err(words) }
        })
        .await;
        assert_eq!(cluster.tasks(), before, "{}", second.last_words());
        second.kill_9();
        cluster.assert_alive(&before);
    }
    cluster.kill_agent(0);
    cluster.start_agent(0);
    cluster.run(&["scale", "pairs", "2"]);
    pairs::until_grown(&cluster, 2, &before).await;
}

/// What a throw-away `dev` that was killed left is ended by the next one, and its folder is gone.
pub async fn the_next_dev_ends_what_a_dead_one_left(cluster: Cluster) {
    let folder = cluster.path("tmp");
    std::fs::create_dir(&folder).expect("a new directory can be made");
    let (mut first, api) = dev(&cluster, "first", &folder).await;
    let file = cluster.write_job("pairs", &jobs::pairs("pairs", 1, &cluster.witness()));
    let applied = cluster.try_run(&["run", "--address", &api, &file]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let tasks = cluster.tasks();
    assert_eq!(tasks.len(), 2, "{}", first.last_words());
    first.kill_9();
    assert_eq!(cluster.tasks(), tasks, "nobody is there to end them");
    let (mut second, _) = dev(&cluster, "second", &folder).await;
    assert_eq!(cluster.tasks(), Vec::<Identity>::new(), "{}", second.last_words());
    assert!(second.last_words().contains("ending what it left"), "{}", second.last_words());
    let folders = std::fs::read_dir(&folder).expect("it is there").count();
    assert_eq!(folders, 1, "the folder of the first is gone");
    assert!(second.terminate(Duration::from_secs(20)), "{}", second.last_words());
}

fn agent(cluster: &Cluster, name: &str, directory: &Path) -> [String; 8] {
    let directory = directory.display().to_string();
    let words = ["agent", "--raw-exec", "--node", name, "--servers", cluster.api.address(), "--data-dir"];
    let mut words = words.into_iter().map(str::to_owned).chain([directory]);
    std::array::from_fn(|_| words.next().expect("eight words"))
}

/// A throw-away `dev` whose folder lies in this one.
async fn dev(cluster: &Cluster, name: &str, folder: &Path) -> (Process, String) {
    let bind = format!("127.0.0.1:{}", ports::free());
    let mut command = cluster.command(&["dev", "--bind", &bind]);
    let process = Process::start(name, command.env("TMPDIR", folder), &cluster.path(""));
    let api = crate::api::Api::new(format!("http://{bind}"));
    wait::until(wait::START, "the dev to be ready", async || {
        let ready = api.ready_nodes().await?;
        if ready.len() == 1 { Ok(()) } else { Err(format!("{ready:?}\n{}", process.last_words())) }
    })
    .await;
    (process, format!("http://{bind}"))
}
