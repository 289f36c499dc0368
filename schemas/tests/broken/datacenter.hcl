job "web" {
  datacenter = "dc1"
  group "web" {
    task "web" {
      driver = "docker"
      config { image = "nginx:1" }
    }
  }
}
