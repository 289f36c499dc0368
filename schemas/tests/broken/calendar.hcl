job "a" {
  type = "batch"
  periodic {
    crons = ["* * * *", "61 * * * *", "@fortnightly"]
    time_zone = "Europe/Atlantis"
  }
  group "g" {
    task "t" {
      driver = "raw_exec"
      config { command = "true" }
    }
  }
}
