//! Giving up every right that a task does not need. The order matters: each step needs a right that a later one drops.

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, configure_capability_in_ambient_set,
        remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    },
};

use super::system_calls::forbid_user_namespaces;
use crate::{process::wire::Failure, user::TaskUser};

/// Becomes the user with only the named capabilities left.
pub(super) fn give_up(user: &TaskUser, kept: &[String]) -> Result<(), Failure> {
    let kept = parse(kept)?;
    become_user(user, kept)
        .map_err(|error| Failure { text: format!("cannot give up rights: {error}"), is_recoverable: true })
}

/// Becomes another user, or stays whoever this process is: that needs no right.
pub fn switch_user(user: &TaskUser) -> std::io::Result<()> {
    if user.uid != Uid::effective().as_raw() || user.gid != Gid::effective().as_raw() {
        become_numbers(user)?;
    }
    Ok(())
}

fn become_numbers(user: &TaskUser) -> std::io::Result<()> {
    setgroups(&user.groups.iter().copied().map(Gid::from_raw).collect::<Vec<_>>())?;
    setgid(Gid::from_raw(user.gid))?;
    setuid(Uid::from_raw(user.uid))?;
    Ok(())
}

/// Becomes the user with exactly these capabilities, for good: children can never have more, not even in a user
/// namespace, for they can make none.
pub fn become_user(user: &TaskUser, kept: CapabilitySet) -> std::io::Result<()> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // The kernel knows no capability of this number, nor any of a greater one.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    set_keep_capabilities(true)?;
    become_numbers(user)?;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    clear_ambient_capability_set()?;
    for one in kept.iter() {
        configure_capability_in_ambient_set(one, true)?;
    }
    set_no_new_privs(true)?;
    forbid_user_namespaces()?;
    // The task has the same user as this process and must not be able to read or trace it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Names as people write them: `net_raw`, `NET_RAW` or `CAP_NET_RAW`.
pub(super) fn parse(names: &[String]) -> Result<CapabilitySet, Failure> {
    let mut set = CapabilitySet::empty();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
        set |= CapabilitySet::from_name(plain).ok_or_else(|| Failure {
            text: format!("there is no capability {name:?}"),
            is_recoverable: false,
        })?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_by_name() {
        let names = ["net_raw", "CAP_CHOWN"].map(str::to_owned);
        assert_eq!(parse(&names).unwrap(), CapabilitySet::NET_RAW | CapabilitySet::CHOWN);
        assert!(parse(&["all".to_owned()]).is_err());
    }
}
