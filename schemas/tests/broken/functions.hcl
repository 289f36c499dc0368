job "web" {
  group "web" {
    count = length("abc")
    task "web" {
      driver = "docker"
      config {
        image = uper("nginx")
        args  = [file("x.txt"), format("%d", "x"), 1 / 0]
      }
    }
  }
}
