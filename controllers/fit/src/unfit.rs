//! Why a node cannot take an instance, in numbers that an operator can use.

use std::fmt;

/// Why a node cannot take an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// The node is not ready.
    NotReady,
    /// People said that nothing new may go there.
    Ineligible,
    /// The job may not use the node's pool.
    Pool,
    /// The job may not use the node's datacenter.
    Datacenter,
    /// A condition does not hold.
    Constraint(String),
    /// A driver is missing or does not work.
    Driver(String),
    /// The network mode or a named host network is missing.
    Network(String),
    /// A host volume is missing, or may only be read.
    Volume(String),
    /// A device is missing.
    Device(String),
    /// The node's agent does not allow something.
    Forbidden(&'static str),
    /// Another instance is there already.
    DistinctHosts,
    /// Enough instances share the node's value already.
    DistinctProperty(String),
    /// So many MHz are missing.
    Cpu(u64),
    /// So many MB of memory are missing.
    Memory(u64),
    /// So many MB of disk are missing.
    Disk(u64),
    /// So many free cores are missing.
    Cores(u32),
    /// A fixed port is taken or reserved.
    Port(u16),
    /// No dynamic port is left.
    DynamicPorts,
}

impl Unfit {
    /// Whether waiting helps: the node would fit if others left it.
    pub fn is_exhausted(&self) -> bool {
        self.distance().is_some()
    }

    /// How much is missing of what others could give back, to tell near misses; none where only a change helps.
    pub fn distance(&self) -> Option<u64> {
        match self {
            Unfit::Cpu(short) | Unfit::Memory(short) | Unfit::Disk(short) => Some(*short),
            Unfit::Cores(short) => Some(u64::from(*short)),
            Unfit::Port(_) | Unfit::DynamicPorts => Some(0),
            Unfit::NotReady
            | Unfit::Ineligible
            | Unfit::Pool
            | Unfit::Datacenter
            | Unfit::Constraint(_)
            | Unfit::Driver(_)
            | Unfit::Network(_)
            | Unfit::Volume(_)
            | Unfit::Device(_)
            | Unfit::Forbidden(_)
            | Unfit::DistinctHosts
            | Unfit::DistinctProperty(_) => None,
        }
    }

    /// The reason without its amount: what counts are kept by.
    pub fn reason(&self) -> String {
        match self {
            Unfit::NotReady => "not ready".to_owned(),
            Unfit::Ineligible => "not eligible".to_owned(),
            Unfit::Pool => "in another node pool".to_owned(),
            Unfit::Datacenter => "in another datacenter".to_owned(),
            Unfit::Constraint(text) => format!("constraint `{text}`"),
            Unfit::Driver(name) => format!("missing driver `{name}`"),
            Unfit::Network(name) => format!("missing network `{name}`"),
            Unfit::Volume(name) => format!("missing host volume `{name}`"),
            Unfit::Device(name) => format!("missing device `{name}`"),
            Unfit::Forbidden(what) => format!("not allowed `{what}`"),
            Unfit::DistinctHosts => "distinct_hosts".to_owned(),
            Unfit::DistinctProperty(text) => text.clone(),
            Unfit::Cpu(_) => "cpu".to_owned(),
            Unfit::Memory(_) => "memory".to_owned(),
            Unfit::Disk(_) => "disk".to_owned(),
            Unfit::Cores(_) => "cores".to_owned(),
            Unfit::Port(port) => format!("port {port}"),
            Unfit::DynamicPorts => "dynamic ports".to_owned(),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Cpu(short) => write!(f, "{short} MHz short"),
            Unfit::Memory(short) => write!(f, "{short} MB of memory short"),
            Unfit::Disk(short) => write!(f, "{short} MB of disk short"),
            Unfit::Cores(short) => write!(f, "{short} cores short"),
            Unfit::Port(port) => write!(f, "port {port} is taken"),
            Unfit::DynamicPorts => write!(f, "no dynamic port is left"),
            Unfit::NotReady
            | Unfit::Ineligible
            | Unfit::Pool
            | Unfit::Datacenter
            | Unfit::Constraint(_)
            | Unfit::Driver(_)
            | Unfit::Network(_)
            | Unfit::Volume(_)
            | Unfit::Device(_)
            | Unfit::Forbidden(_)
            | Unfit::DistinctHosts
            | Unfit::DistinctProperty(_) => f.write_str(&self.reason()),
        }
    }
}
