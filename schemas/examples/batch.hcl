# Work that ends: four instances, each doing its share once. A failed one is tried again, elsewhere if need be.
job "batch" {
  type     = "batch"
  priority = 30

  group "share" {
    count = 4

    restart {
      attempts = 2
      delay    = "5s"
      interval = "10m"
    }

    reschedule {
      attempts = 3
      interval = "1h"
      delay    = "30s"
    }

    task "work" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"share $NOMAD_ALLOC_INDEX of 4\"; sleep 2; echo done > $NOMAD_ALLOC_DIR/data/result"]
      }

      resources {
        cpu    = 50
        memory = 16
      }
    }
  }
}
