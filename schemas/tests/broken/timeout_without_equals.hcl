job "web" {
  group "web" {
    service {
      name = "web"
      check {
        type     = "tcp"
        interval = "10s"
        timeout "2s"
      }
    }
  }
}
