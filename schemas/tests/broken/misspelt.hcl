job "web" {
  prority = 50
  group "web" {
    cuont = 3
    task "web" {
      driver       = "exec"
      kil_timeout  = "10s"
      config { command = "/bin/true" }
      resorces {
        cpu = 100
      }
      resources {
        cpu    = 100
        memmory = 100
      }
    }
  }
}
