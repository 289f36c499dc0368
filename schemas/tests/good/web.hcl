job "web" {
  namespace   = "shop"
  datacenters = ["dc1", "eu-*"]
  priority    = 70
  labels { team = "web" }
  constraint {
    attribute = "${attr.os.version}"
    version   = ">= 11"
  }
  constraint { distinct_hosts = true }
  spread {
    attribute = "${node.datacenter}"
    target "dc1" { percent = 70 }
  }
  update {
    max_parallel = 2
    canary       = 1
    auto_promote = true
  }
  group "web" {
    count = 3
    network {
      mode = "bridge"
      port "http" { to = 8080 }
      port "admin" {
        static = 9000
      }
    }
    service {
      name     = "web"
      port     = "http"
      provider = "nomad"
      check {
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"
        header {
          Accept = ["text/plain"]
        }
      }
    }
    volume "data" {
      type      = "host"
      source    = "data"
      read_only = true
    }
    task "web" {
      driver = "docker"
      user   = "www"
      config {
        image = "nginx:1.27"
        ports = ["http", "admin"]
        mount {
          type   = "bind"
          source = "local/x"
          target = "/x"
        }
        mount {
          type   = "tmpfs"
          target = "/y"
        }
      }
      env {
        PORT  = 8080
        DEBUG = true
        HOST  = "${attr.unique.hostname}"
      }
      meta = {
        "owner.team" = "web"
      }
      template {
        data        = <<-EOT
          {{ range service "db" }}
          server {{ .Address }}:${NOMAD_PORT_http};
          {{ end }}
          EOT
        destination = "local/x/upstream.conf"
      }
      volume_mount {
        volume      = "data"
        destination = "/data"
      }
      resources {
        cpu    = 500
        memory = 256
        device "nvidia/gpu" {
          count = 2
        }
      }
      kill_timeout = "20s"
    }
    task "log" {
      driver = "raw_exec"
      lifecycle {
        hook    = "poststart"
        sidecar = true
      }
      config {
        command = "/bin/tail"
      }
    }
  }
}
