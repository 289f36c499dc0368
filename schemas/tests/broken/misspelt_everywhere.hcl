job "a" {
  group "g" {
    coutn = 2
    netwrok {
      port "http" {}
    }
    restrat {
      attempts = 1
    }
    update {
      max_paralel = 2
    }
    service {
      name = "x"
      provider = "nomad"
      prot = "http"
      check {
        typ = "http"
        intervall = "10s"
        timeout = "2s"
      }
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "sleep"
      }
      lifecycle {
        hock = "prestart"
      }
      template {
        data = "x"
        dest = "local/x"
      }
      artifact {
        src = "http://x/y"
      }
      logs {
        maxfiles = 3
      }
    }
  }
}
