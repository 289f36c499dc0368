# A container behind a free port of its node, checked over HTTP, replaced one at a time and rolled back on failure.
variable "image" {
  type        = string
  default     = "nginx:1.27-alpine"
  description = "What runs."
}

job "docker" {
  group "nginx" {
    count = 3

    network {
      port "http" {
        to = 80
      }
    }

    spread {
      attribute = "${node.datacenter}"
    }

    update {
      max_parallel      = 1
      min_healthy_time  = "5s"
      healthy_deadline  = "2m"
      progress_deadline = "5m"
      auto_revert       = true
    }

    service {
      name     = "nginx"
      port     = "http"
      provider = "nomad"
      tags     = ["edge"]

      check {
        type     = "http"
        path     = "/"
        interval = "5s"
        timeout  = "2s"
      }
    }

    shutdown_delay = "2s"

    task "nginx" {
      driver = "docker"

      config {
        image = var.image
        ports = ["http"]
      }

      kill_timeout = "15s"

      resources {
        cpu    = 200
        memory = 64
      }
    }
  }
}
