job "tomcat" {
  datacenter = "dc1"
  count = 2
  task "tomcat" {
    driver = "docker"
    image  = "tomcat:8"
    service {
      name = "tomcat"
      port = "http"
      check {
        type     = "tcp"
        interval = "10s"
        timeout {
          value = "2s"
        }
      }
    }
  }
  resources {
    cpu    = 500
    memory = 256
  }
}
