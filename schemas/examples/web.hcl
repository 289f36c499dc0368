# A small web service: two instances, each on a free port, replaced one at a time.
# It needs nothing but perl, which every Debian has.
job "web" {
  group "web" {
    count = 2

    network {
      port "http" {}
    }

    update {
      max_parallel     = 1
      min_healthy_time = "2s"
      healthy_deadline = "30s"
    }

    service {
      name     = "web"
      port     = "http"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }

    # A stopped instance serves for another second, so that nobody who just read its address is refused.
    shutdown_delay = "1s"

    task "server" {
      driver = "raw_exec"

      config {
        command = "/usr/bin/perl"
        args    = ["-e", <<-PERL
          use IO::Socket::INET;
          $SIG{CHLD} = "IGNORE";
          $| = 1;
          my $server = IO::Socket::INET->new(
            LocalAddr => $ENV{NOMAD_IP_http}, LocalPort => $ENV{NOMAD_PORT_http}, Listen => 64, ReuseAddr => 1,
          ) or die "cannot listen: $!";
          print "serving at http://$ENV{NOMAD_ADDR_http}\n";
          while (my $client = $server->accept) {
            next if fork;
            my $request = <$client>;
            while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
            my $page = "$ENV{GREETING} $ENV{NOMAD_ALLOC_NAME}\n";
            print $client "HTTP/1.1 200 OK\r\nContent-Length: ", length $page, "\r\nConnection: close\r\n\r\n$page";
            print $request;
            exit;
          }
          PERL
        ]
      }

      env {
        GREETING = "Hello from"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
