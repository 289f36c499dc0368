//! HCL blocks to the canonical form, led by the schema: attributes, blocks, labels, lists.
//!
//! Everything that only Nomad's older job files need is in `legacy`; everything that explains a key in the
//! wrong place is in `misplaced`.

mod job;
mod legacy;
pub(crate) mod misplaced;
pub(crate) mod nomad;
mod scalar;
mod shaper;
mod sugar;
mod task_ports;

pub(crate) use job::{SCHEMA, Shaped, shape as job};
pub(crate) use shaper::{Around, Shaper};
