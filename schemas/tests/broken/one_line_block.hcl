job "web" {
  group "web" {
    network {
      port "http" { static = 80, to = 8080 }
    }
  }
}
