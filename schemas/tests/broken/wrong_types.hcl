job "web" {
  datacenters = "dc1"
  priority    = "high"
  group "web" {
    count = [3]
    task "web" {
      driver       = ["exec"]
      kill_timeout = "soon"
      leader       = "yes"
      env          = "A=1"
      config { command = "/bin/true" }
    }
  }
}
