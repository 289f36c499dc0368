job "a" {
  type = "batch"
  task "run" {
    driver = "exec"
    config { command = "/bin/true" }
  }
}
