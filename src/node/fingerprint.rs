//! What kind of machine this is, under Nomad's names for attributes.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::Path,
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// Facts for constraints: `cpu.arch`, `kernel.name` …
    pub attributes: BTreeMap<String, String>,
    /// All processors together.
    pub cpu_mhz: u64,
    /// How many processors.
    pub cores: u32,
    /// All memory.
    pub memory_mb: u64,
    /// What is free where allocations lie.
    pub disk_mb: u64,
    /// The address that others reach this machine at.
    pub host_ip: Option<IpAddr>,
}

/// Looks at the machine; `folder` is where allocations will lie. What cannot be read is left out, never guessed,
/// but for the clock rate: 1000 MHz if the processor does not tell.
pub fn machine(folder: &Path) -> Machine {
    let mut found = Machine::default();
    processors(&mut found);
    memory(&mut found);
    disk(&mut found, folder);
    system(&mut found.attributes);
    network(&mut found);
    found
}

const UNKNOWN_CLOCK_MHZ: u64 = 1000;

fn processors(found: &mut Machine) {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    found.cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let limit = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").ok();
    let limit_mhz = limit.and_then(|text| text.trim().parse::<u64>().ok()).map(|khz| khz / 1000);
    let clock = limit_mhz.or_else(|| clock_mhz(&cpuinfo)).unwrap_or(UNKNOWN_CLOCK_MHZ);
    found.cpu_mhz = clock * u64::from(found.cores);
    let mut set = |name: &str, value: String| found.attributes.insert(name.to_owned(), value);
    set("cpu.arch", architecture().to_owned());
    set("cpu.numcores", cores.to_string());
    set("cpu.reservablecores", cores.to_string());
    set("cpu.frequency", clock.to_string());
    set("cpu.totalcompute", (clock * cores as u64).to_string());
    set("cpu.usablecompute", (clock * cores as u64).to_string());
    if let Some(model) = field(&cpuinfo, "model name") {
        set("cpu.modelname", model.to_owned());
    }
}

/// Go's names, which job files use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn clock_mhz(cpuinfo: &str) -> Option<u64> {
    field(cpuinfo, "cpu MHz")?.split('.').next()?.parse().ok()
}

/// The first value of a `name : value` list.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn memory(found: &mut Machine) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(kib) = total_memory_kib(&text) else { return };
    found.memory_mb = kib / 1024;
    found.attributes.insert("memory.totalbytes".to_owned(), (kib * 1024).to_string());
}

fn total_memory_kib(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.split(' ').next()?.parse().ok()
}

fn disk(found: &mut Machine, folder: &Path) {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let Ok(seen) = rustix::fs::statvfs(existing) else { return };
    let free = seen.f_bavail.saturating_mul(seen.f_frsize);
    found.disk_mb = free / (1024 * 1024);
    let total = seen.f_blocks.saturating_mul(seen.f_frsize);
    let mut set =
        |name: &str, value: String| found.attributes.insert(format!("unique.storage.{name}"), value);
    set("bytestotal", total.to_string());
    set("bytesfree", free.to_string());
    set("volume", existing.display().to_string());
}

fn system(attributes: &mut BTreeMap<String, String>) {
    let names = rustix::system::uname();
    let mut set = |name: &str, value: &str| attributes.insert(name.to_owned(), value.to_owned());
    set("kernel.name", "linux");
    set("kernel.arch", &names.machine().to_string_lossy());
    set("kernel.version", &names.release().to_string_lossy());
    set("unique.hostname", &names.nodename().to_string_lossy());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if let Some(name) = release_field(&release, "ID") {
        set("os.name", name);
    }
    if let Some(version) = release_field(&release, "VERSION_ID") {
        set("os.version", version);
    }
    let signals: Vec<&str> =
        nix::sys::signal::Signal::iterator().map(nix::sys::signal::Signal::as_str).collect();
    set("os.signals", &signals.join(","));
    let is_newer_layout = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    set("unique.cgroup.version", if is_newer_layout { "v2" } else { "v1" });
    set("unique.cgroup.mountpoint", "/sys/fs/cgroup");
}

fn release_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

fn network(found: &mut Machine) {
    found.host_ip = outward_address();
    if let Some(address) = found.host_ip {
        found.attributes.insert("unique.network.ip-address".to_owned(), address.to_string());
    }
}

/// The address from which the machine would speak to the world. A datagram socket only asks the routing table;
/// nothing is sent. The destination is one that documentation reserves.
fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\ncpu MHz\t\t: 2994.374\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Fast CPU @ 3 GHz"));
        assert_eq!(clock_mhz(cpuinfo), Some(2994));
        assert_eq!(clock_mhz(""), None);
        assert_eq!(total_memory_kib("MemTotal:       24603532 kB\nMemFree: 1 kB\n"), Some(24_603_532));
        let release = "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n";
        assert_eq!(
            (release_field(release, "ID"), release_field(release, "VERSION_ID")),
            (Some("debian"), Some("12"))
        );
    }

    #[test]
    fn this_machine_is_one() {
        let found = machine(Path::new("/no/such/folder"));
        assert!(found.cpu_mhz > 0 && found.cores > 0 && found.memory_mb > 0 && found.disk_mb > 0);
        assert_eq!(found.attributes["kernel.name"], "linux");
        assert!(found.attributes["os.signals"].contains("SIGTERM"));
    }
}
