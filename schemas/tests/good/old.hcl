job "old" {
  type        = "batch"
  datacenters = ["dc1"]
  periodic {
    cron             = "@daily"
    prohibit_overlap = true
  }
  group "g" {
    max_client_disconnect = "1h"
    task "t" {
      driver = "docker"
      config {
        image = "redis:3"
        port_map {
          db = 6379
        }
      }
      resources {
        cpu    = 500
        memory = 256
        iops   = 10
        network {
          mbits = 10
          port "db" {}
        }
      }
    }
  }
}
