job "a" {
  group "g" {
    task "t" {
      driver = "raw_exec"
      config { command = "sh" }
      template {
        data = <<EOF
hello
  EOF2
      }
    }
  }
}
