locals {
  a = "${local.b}-a"
  b = "${local.c}-b"
  c = local.a
}
job "web" {
  group "web" {
    task "web" {
      driver = "docker"
      config { image = local.a }
    }
  }
}
