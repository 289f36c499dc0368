job "a" {
  update {
    min_healthy_time = "10"
    healthy_deadline = "5 minutes"
    progress_deadline = "ten"
  }
  group "g" {
    restart {
      interval = "30min"
      delay = "-5s"
    }
    reschedule {
      delay = "1d"
      max_delay = true
    }
    task "t" {
      driver = "raw_exec"
      config { command = "sleep" }
      kill_timeout = 20
    }
  }
}
