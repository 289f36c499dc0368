jb "a" {
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "sleep"
      }
    }
  }
}
