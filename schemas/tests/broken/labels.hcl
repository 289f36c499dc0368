job "a" "b" {
  group "g" "h" {
    task "t" "u" {
      driver = "raw_exec"
      config "x" {
        command = "x"
      }
      resources "r" {
        cpu = 100
      }
    }
  }
}
