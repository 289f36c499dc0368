variable "count" {
  type    = number
  default = "many"
}
variable "color" {
  default = "green"
  validation {
    condition     = contains(["red", "blue"], var.color)
    error_message = "The color must be red or blue."
  }
}
variable "list" {
  type = lst(string)
}
job "web" {
  group "web" {
    task "web" {
      driver = "docker"
      config { image = var.color }
    }
  }
}
