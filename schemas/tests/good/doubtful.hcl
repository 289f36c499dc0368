job "doubtful" {
  group "g" {
    task "t" {
      driver = "docker"
      config {
        image = "${vars.image}:${attr.tag}"
        args  = [meta.x, locals.y]
      }
    }
  }
}
