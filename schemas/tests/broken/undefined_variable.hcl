variable "image" {
  default = "nginx"
}
variable "password" {
  type = string
}
job "web" {
  group "web" {
    task "web" {
      driver = "docker"
      config {
        image = "${var.imgae}:${local.tag}"
      }
    }
  }
}
