job "a" {
  group "g" {
    task "docker" {
      driver = "docker"
      config {
        image      = ["nginx"]
        ports      = "http"
        privileged = "maybe"
        shm_size   = "1GB"
        volums     = ["/a:/b"]
      }
    }
    task "exec" {
      driver = "exec"
      config {
        command = ["sleep", "10"]
        argz    = [1]
      }
    }
  }
}
