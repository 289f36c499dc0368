//! What kind of machine this is, under Nomad's names for attributes.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::Path,
};

use super::machine::{MachineFacts, STORAGE};

/// The clock rate of a processor that does not tell it.
const UNKNOWN_CLOCK_MHZ: u64 = 1000;

/// Looks at the machine; `folder` is where allocations will lie. What cannot be read is left out, never guessed,
/// but for the processor: one core of 1000 MHz is always there.
pub(super) fn observe(folder: &Path) -> MachineFacts {
    let mut found = MachineFacts::default();
    processors(&mut found);
    memory(&mut found);
    disk(&mut found, folder);
    system(&mut found.attributes);
    if let Some(address) = outward_address() {
        found.attributes.insert("unique.network.ip-address".to_owned(), address.to_string());
    }
    found
}

fn processors(found: &mut MachineFacts) {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limit = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").ok();
    let limit_mhz = limit.and_then(|text| text.trim().parse::<u64>().ok()).map(|khz| khz / 1000);
    let clock = limit_mhz.or_else(|| clock_mhz(&cpuinfo)).unwrap_or(UNKNOWN_CLOCK_MHZ);
    let all_mhz = clock * cores as u64;
    found.capacity.cpu_mhz = all_mhz;
    let mut set = |name: &str, value: String| found.attributes.insert(name.to_owned(), value);
    set("cpu.arch", architecture().to_owned());
    set("cpu.numcores", cores.to_string());
    set("cpu.reservablecores", cores.to_string());
    set("cpu.frequency", clock.to_string());
    set("cpu.totalcompute", all_mhz.to_string());
    set("cpu.usablecompute", all_mhz.to_string());
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

fn memory(found: &mut MachineFacts) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(kib) = total_memory_kib(&text) else { return };
    found.capacity.memory_mb = kib / 1024;
    found.attributes.insert("memory.totalbytes".to_owned(), (kib * 1024).to_string());
}

fn total_memory_kib(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.split(' ').next()?.parse().ok()
}

fn disk(found: &mut MachineFacts, folder: &Path) {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let Ok(seen) = rustix::fs::statvfs(existing) else { return };
    let free = seen.f_bavail.saturating_mul(seen.f_frsize);
    found.capacity.disk_mb = free / (1024 * 1024);
    let total = seen.f_blocks.saturating_mul(seen.f_frsize);
    let mut set = |name: &str, value: String| found.attributes.insert(format!("{STORAGE}{name}"), value);
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

/// The address from which the machine would speak to the world. A datagram socket only asks the routing table;
/// nothing is sent. The destination is one that documentation reserves.
pub(super) fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use schemas::node::Amount;

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
        let found = observe(Path::new("/no/such/folder"));
        let Amount { cpu_mhz, memory_mb, disk_mb } = found.capacity;
        assert!(cpu_mhz > 0 && memory_mb > 0 && disk_mb > 0);
        assert_eq!(found.attributes["kernel.name"], "linux");
        assert!(found.attributes["os.signals"].contains("SIGTERM"));
    }
}
