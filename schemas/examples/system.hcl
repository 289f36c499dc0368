# One instance on every Linux node, today's and tomorrow's: the shape of log shippers and monitoring agents.
job "system" {
  type     = "system"
  priority = 80

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  update {
    max_parallel     = 2
    min_healthy_time = "5s"
    healthy_deadline = "1m"
  }

  group "watch" {
    task "load" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while sleep 10; do read -r load _ < /proc/loadavg; echo \"${node.unique.name} $load\"; done"]
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
