# Tasks that live and die together: one prepares, one serves beside a helper, one cleans up.
job "multi-task" {
  meta {
    team = "docs"
  }

  group "site" {
    network {
      port "http" {}
    }

    task "prepare" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"Hello from $NOMAD_META_team\" > $NOMAD_ALLOC_DIR/data/index.html"]
      }

      resources {
        cpu    = 50
        memory = 16
      }
    }

    task "serve" {
      driver = "raw_exec"
      leader = true

      config {
        command = "/usr/bin/python3"
        args    = ["-m", "http.server", "${NOMAD_PORT_http}", "--directory", "${NOMAD_ALLOC_DIR}/data"]
      }

      service {
        name     = "site"
        port     = "http"
        provider = "nomad"

        check {
          type     = "tcp"
          interval = "5s"
          timeout  = "1s"
        }
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }

    task "date" {
      driver = "raw_exec"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "while sleep 5; do date > $NOMAD_ALLOC_DIR/data/date.txt; done"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "farewell" {
      driver = "raw_exec"

      lifecycle {
        hook = "poststop"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"served until $(cat $NOMAD_ALLOC_DIR/data/date.txt)\""]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
