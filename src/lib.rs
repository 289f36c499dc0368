//! Encamp as a library: the rooms that `main` and the tests wire together.

pub use {
    api, cache, cli, clock, control, drivers, forecast, http_client, http_server, node, process, store,
    telemetry,
};
