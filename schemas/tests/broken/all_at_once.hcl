job "all at once" {
  priority    = 900
  datacenters = "dc1"
  regoin      = "eu"

  group "front" {
    count = "many"
    network {
      port "http" { static = 99999 }
      port "metrics" { to = -7 }
    }
    service {
      port = "htpp"
      check {
        type     = "http"
        interval = "soon"
      }
    }
    restart {
      attempts = 10
      delay    = "1m"
      interval = "5m"
    }
    task "web" {
      drivr = "docker"
      config {
        image = undefined_function("x")
      }
      kill_timeout = "20m"
      resources {
        memory = 1
      }
    }
    task "web" {
      driver = "exec"
      config {
        args = "not a list"
      }
    }
  }

  group "back" {
    task "db" {
      driver = "dokcer"
      config {
        image = var.missing
      }
      template {
        data = "x"
      }
    }
  }
}
