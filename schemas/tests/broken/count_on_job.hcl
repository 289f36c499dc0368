job "web" {
  count = 3
  group "web" {
    task "web" {
      driver = "exec"
      config { command = "/bin/true" }
    }
  }
}
