//! Names of users, as the host knows them.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use serde::{Deserialize, Serialize};

use crate::node::drivers::process::wire::Failure;

/// A user reduced to numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskUser {
    /// The user.
    pub uid: u32,
    /// Its main group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
}

/// Looks a user up by name, or takes the number `uid` or `uid:gid` as it is.
pub fn find_user(name: &str) -> Result<TaskUser, Failure> {
    if let Some(user) = numeric(name) {
        return Ok(user);
    }
    let unknown =
        || Failure { text: format!("there is no user {name:?} on this node"), is_recoverable: false };
    let user = User::from_name(name).ok().flatten().ok_or_else(unknown)?;
    let c_name = std::ffi::CString::new(name).map_err(|_| unknown())?;
    let groups = getgrouplist(&c_name, user.gid).unwrap_or_default();
    let numbers = groups.into_iter().map(Gid::as_raw).filter(|gid| *gid != user.gid.as_raw()).collect();
    Ok(TaskUser { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups: numbers })
}

/// The user that runs this process.
pub(super) fn own_user() -> TaskUser {
    TaskUser { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw(), groups: Vec::new() }
}

fn numeric(name: &str) -> Option<TaskUser> {
    let (uid, gid) = match name.split_once(':') {
        Some((uid, gid)) => (uid.parse().ok()?, gid.parse().ok()?),
        None => (name.parse().ok()?, name.parse().ok()?),
    };
    Some(TaskUser { uid, gid, groups: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        assert_eq!(find_user("root").unwrap().uid, 0);
        assert_eq!(find_user("1000").unwrap(), TaskUser { uid: 1000, gid: 1000, groups: Vec::new() });
        assert_eq!(find_user("7:8").unwrap(), TaskUser { uid: 7, gid: 8, groups: Vec::new() });
        assert!(!find_user("no-such-user").unwrap_err().is_recoverable);
    }
}
