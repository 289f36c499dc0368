job "web" {
  group "web" {
    task "web" {
      driver = "docker"
      image  = "nginx"
      ports  = ["http"]
    }
  }
}
