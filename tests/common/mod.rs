//! What several test programs share: the real services they run against.

pub(crate) mod etcd;
pub(crate) mod keys;
