# A comment at the top.

variable "image" {
  default = "nginx" # the default
  type    = string  // and its type
}
locals {
  a         = 1
  long_name = 2 # with a comment
  /* a comment
       over lines */
  list = [1,
    2,
    3]
  objects = [{
    a   = 1
    bcd = 2
  }, {
    c = 3
  }]
  equal  = local.a == 1
  text   = "a = b # not a comment { ${local.a} }"
  choice = local.a==1 ? "x" : "y"
}
job "web" {
  datacenters = ["dc1"]
  type        = "service"

  group "web" {
    count = 3
    network { mode = "bridge" }
    task "web" {
      driver = "docker"
      config {
        image = var.image
        args = [
          "-v",
          "-x"
        ]
        labels = {
          "a b" = 1
          c     = 2
        }
      }
      template {
        data        = <<EOF
  keep   =   this
      as it is
EOF
        destination = "local/x"
      }
      env {
        A      = 1   # one
        LONGER = "2" # two
        # alone
        B = max(1,
          2)
      }
    }
  }
}
