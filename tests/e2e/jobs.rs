//! The jobs that the scenarios run, as text: what a user would write.

use std::path::Path;

/// A web service of busybox's own server, which answers its version at `/`.
#[derive(Clone, Debug)]
pub struct Web<'a> {
    /// Name of the job.
    pub name: &'a str,
    /// How many instances.
    pub count: u32,
    /// What it answers; another version is another job version.
    pub version: &'a str,
    /// How many may be replaced at a time.
    pub max_parallel: u32,
    /// Whether it listens at all: a broken version runs and never answers.
    pub listens: bool,
}

impl Web<'_> {
    /// The job file. A task goes on serving for a second after it was told to stop, so that clients who
    /// have just read its address are still served.
    pub fn hcl(&self) -> String {
        let Web { name, count, version, max_parallel, listens } = self;
        let serve = if *listens {
            r#"exec busybox httpd -f -p "$NOMAD_IP_http:$NOMAD_PORT_http" -h "$NOMAD_TASK_DIR""#
        } else {
            "exec sleep 100000"
        };
        format!(
            r#"
job "{name}" {{
  group "web" {{
    count = {count}
    shutdown_delay = "1s"
    network {{
      port "http" {{}}
    }}
    update {{
      max_parallel      = {max_parallel}
      min_healthy_time  = "500ms"
      healthy_deadline  = "10s"
      progress_deadline = "15s"
    }}
    service {{
      name     = "{name}"
      port     = "http"
      provider = "nomad"
      check {{
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }}
    }}
    task "server" {{
      driver = "raw_exec"
      config {{
        command = "/bin/sh"
        args = ["-c", <<-EOF
          echo {version} > "$NOMAD_TASK_DIR/index.html"
          {serve}
          EOF
        ]
      }}
      resources {{
        cpu    = 20
        memory = 16
      }}
    }}
  }}
}}
"#
        )
    }
}

/// Instances of two tasks each that write who they are below `witness` and wait.
pub fn pairs(name: &str, count: usize, witness: &Path) -> String {
    let task = |task: &str| sleeper(task, witness, "exec sleep 100000");
    group_of(
        name,
        "service",
        &format!("count = {count}\n    {UPDATE}"),
        &format!("{}{}", task("first"), task("second")),
    )
}

/// One instance on every node that fits.
pub fn on_every_node(name: &str, witness: &Path) -> String {
    group_of(name, "system", UPDATE, &sleeper("daemon", witness, "exec sleep 100000"))
}

/// Instances of two tasks that do a little work and end well.
pub fn batch(name: &str, count: u32, witness: &Path) -> String {
    let task = |task: &str, word: &str| sleeper(task, witness, &format!("echo {word}"));
    let tasks = format!("{}{}", task("work", "done"), task("aside", "noted"));
    group_of(name, "batch", &format!("count = {count}"), &tasks)
}

/// A job without instances whose file is this large and differs from version to version.
pub fn large(name: &str, number: usize, bytes: usize) -> String {
    let ballast = format!("{number:08}").repeat(bytes / 8);
    let more = format!("count = 0\n    meta {{\n      ballast = \"{ballast}\"\n    }}");
    group_of(name, "service", &more, &sleeper("none", Path::new("/tmp"), "exec sleep 1"))
}

fn group_of(name: &str, kind: &str, count_and_update: &str, tasks: &str) -> String {
    format!(
        r#"
job "{name}" {{
  type = "{kind}"
  group "main" {{
    {count_and_update}
    {tasks}
  }}
}}
"#
    )
}

/// Healthy as soon as its tasks have run for a moment: these jobs have no checks.
const UPDATE: &str = r#"update {
      health_check     = "task_states"
      min_healthy_time = "200ms"
    }"#;

fn sleeper(task: &str, witness: &Path, then: &str) -> String {
    let witness = witness.display();
    format!(
        r#"
    task "{task}" {{
      driver = "raw_exec"
      config {{
        command = "/bin/sh"
        args    = ["-c", "echo $$ > {witness}/$NOMAD_ALLOC_NAME.{task}.$$ ; {then}"]
      }}
      resources {{
        cpu    = 20
        memory = 16
      }}
    }}
"#
    )
}
