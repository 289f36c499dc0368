datacenters = ["dc1"]
group "web" {
  count = 1
}
jobs "web" {
}
