job "web" {
  group "web" {
    task "web" {
      driver = "exec"
      config {
        command = "/bin/true"
    }
  }
}
