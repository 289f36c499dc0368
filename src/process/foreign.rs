//! Keys of a Nomad agent file that this configuration does not have: what each is, and what to do instead.

use schemas::text::Foreign;

const NO_TLS: &str = "TLS is not built for the API: listen on an address that only you reach, or behind a proxy that ends TLS (for etcd: `store_ca`, `store_cert` and `store_key` in `server`)";
const NO_ACL: &str = "authentication is not built: whoever reaches the API may do everything, so listen on an address that only you reach";
const DRIVERS: &str = "drivers are built in; what they allow stands in `client`: options = { \"driver.raw_exec.enable\" = \"true\", \"docker.volumes.enabled\" = \"true\" }";
const LOGS: &str =
    "logs go to stderr, as JSON with ENCAMP_LOG_FORMAT=json: let the service manager keep them";
const ONE_LISTENER: &str =
    "there is one listener, `http`: servers meet in the store, not on ports of their own";
const NO_GOSSIP: &str = "servers meet in the store: the same `store` in each is enough";
const GOES_ON: &str = "tasks go on when an agent stops, and the next agent finds them: leave it out";

/// By the structs of the configuration.
pub(super) const FOREIGN: Foreign = &[
    ("FileConfig", "acl", NO_ACL),
    ("FileConfig", "audit", "an audit log is not built: leave it out"),
    ("FileConfig", "autopilot", "the store decides who leads: leave it out"),
    ("FileConfig", "consul", "Consul is not contacted: leave it out"),
    ("FileConfig", "disable_update_check", "nobody is asked for updates: leave it out"),
    ("FileConfig", "enable_syslog", LOGS),
    ("FileConfig", "leave_on_interrupt", GOES_ON),
    ("FileConfig", "leave_on_terminate", GOES_ON),
    ("FileConfig", "log_file", LOGS),
    ("FileConfig", "log_json", LOGS),
    ("FileConfig", "plugin", DRIVERS),
    ("FileConfig", "plugin_dir", "drivers are built in, none is loaded: leave it out"),
    ("FileConfig", "telemetry", "there is nothing to set: servers answer GET /metrics in Prometheus' format"),
    ("FileConfig", "tls", NO_TLS),
    ("FileConfig", "ui", "there is no web interface: leave it out"),
    ("FileConfig", "vault", "Vault is not contacted, its tokens are not built: leave it out"),
    ("Addresses", "rpc", ONE_LISTENER),
    ("Addresses", "serf", ONE_LISTENER),
    ("Ports", "rpc", ONE_LISTENER),
    ("Ports", "serf", ONE_LISTENER),
    ("ServerSection", "encrypt", NO_GOSSIP),
    ("ServerSection", "retry_join", NO_GOSSIP),
    ("ServerSection", "server_join", NO_GOSSIP),
    ("ClientSection", "server_join", "name the servers: servers = [\"http://10.0.0.1:4646\"]"),
    ("ClientSection", "alloc_dir", "allocations lie under `data_dir`, beside `client`"),
    ("ClientSection", "state_dir", "state lies under `data_dir`, beside `client`"),
];
