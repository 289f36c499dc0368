job "web" {
  group {
    task "web" "extra" {
      driver = "exec"
      config { command = "/bin/true" }
      resources = { cpu = 100 }
      resources {
        cpu = 100
      }
      resources {
        memory = 100
      }
      logs "all" {
        max_files = 3
      }
    }
  }
}
