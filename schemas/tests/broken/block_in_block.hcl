job "a" {
  group "g" {
    network { port "http" { to = 80 } }
    task "t" {
      driver = "raw_exec"
    }
  }
}
