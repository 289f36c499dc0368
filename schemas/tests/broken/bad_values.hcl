job "web" {
  type = "servce"
  group "web" {
    count = -1
    restart {
      mode = "dely"
    }
    task "web" {
      driver = "dokcer"
      config { image = "nginx" }
      constraint {
        attribute = "${attr.kernel.name}"
        operator  = "matches"
        value     = "linux"
      }
    }
  }
}
