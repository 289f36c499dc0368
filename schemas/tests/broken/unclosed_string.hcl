job "web" {
  group "web" {
    task "web" {
      driver = "exec
    }
  }
}
