job "everything" {
  type        = "service"
  region      = "eu"
  node_pool   = "fast"
  all_at_once = true

  annotations = { "example.com/owner" = "web" }

  affinity {
    attribute = "${node.class}"
    value     = "ssd"
    weight    = 70
  }
  affinity {
    attribute = "${attr.nomad.version}"
    semver    = ">= 1.8.0"
  }
  migrate {
    max_parallel     = 2
    min_healthy_time = "15s"
  }
  reschedule {
    delay          = "30s"
    delay_function = "fibonacci"
    max_delay      = "1h"
    unlimited      = true
  }
  meta {
    tier = 1
  }
  ui {
    description = "All of it"
    link {
      label = "Dashboard"
      url   = "https://example.com/d"
    }
  }
  vault {
    policies    = ["web"]
    change_mode = "noop"
  }
  group "g" {
    count          = "2"
    shutdown_delay = "5s"
    constraint {
      attribute = "${attr.cpu.arch}"
      regexp    = "amd64|arm64"
    }
    constraint {
      distinct_property = "${meta.rack}"
      value             = 2
    }
    constraint {
      operator  = "is_set"
      attribute = "${attr.driver.docker}"
    }
    restart {
      attempts = 3
      interval = "10m"
      delay    = "15s"
      mode     = "delay"
    }
    disconnect {
      lost_after = "6h"
      replace    = false
      reconcile  = "keep_original"
    }
    ephemeral_disk {
      size   = 500
      sticky = true
    }
    scaling {
      min = 1
      max = 10
      policy {
        cooldown = "1m"
        check "load" {
          source = "prometheus"
        }
      }
    }
    consul {
      namespace = "web"
    }
    network {
      mode     = "bridge"
      hostname = "web-${NOMAD_ALLOC_INDEX}"
      dns {
        servers = ["1.1.1.1"]
      }
      port "http" { static = 80 }
    }
    service {
      name = "web"
      port = 80
      tags = ["a", "b"]
      check_restart {
        limit = 3
        grace = "90s"
      }
      weights {
        passing = 10
      }
      connect {
        sidecar_service {
          proxy {
            upstreams {
              destination_name = "db"
              local_bind_port  = 5432
            }
            transparent_proxy {
              exclude_outbound_cidrs = ["10.0.0.0/8"]
              no_dns                 = true
            }
          }
        }
      }
    }
    task "t" {
      driver       = "java"
      leader       = true
      kill_signal  = "SIGTERM"
      kill_timeout = 20000000000
      config {
        jar_path    = "local/app.jar"
        jvm_options = ["-Xmx256m"]
      }
      artifact {
        source      = "https://example.com/app.jar"
        destination = "local/"
        options {
          checksum = "sha256:abc"
        }
        headers = { "X-Token" = "t" }
      }
      template {
        data        = "KEY={{ env \"X\" }}\nB=$${literal}\n"
        destination = "secrets/env"
        env         = true
        change_mode = "script"
        change_script {
          command = "/bin/reload"
          timeout = "20s"
        }
        wait {
          min = "5s"
          max = "1m"
        }
      }
      identity {
        name = "aws"
        aud  = ["sts.amazonaws.com"]
        file = true
        ttl  = "1h"
      }
      secret "db" {
        provider = "vault"
        path     = "secret/db"
      }
      logs {
        max_files     = 3
        max_file_size = 5
      }
      action "migrate" {
        command = "/bin/migrate"
        args    = ["--all"]
      }
      resources {
        cores      = 2
        memory     = 512
        memory_max = 1024
        numa {
          affinity = "prefer"
        }
      }
    }
    task "init" {
      driver = "exec"
      lifecycle {
        hook = "prestart"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $HOME; echo \"$${NOT_A_REFERENCE}\" ${NOMAD_TASK_DIR}"]
      }
    }
  }
}
