//! As whom a task runs: `user` of a job, resolved to numbers and judged by what the operator denies.
//!
//! Only numbers are compared: `root`, `0`, `00`, `+0`, `0:0` and every other name of uid 0 are one user. Who is in
//! root's group, be it the main group or another, counts as root.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde::{Deserialize, Serialize};

use super::contract::StartError;

/// The kernel's "no such id": asked for, it means to change nothing.
const NOBODY_AT_ALL: u32 = u32::MAX;
const ROOT: u32 = 0;

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

/// Whom no task may run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPolicy {
    denied: Vec<String>,
}

/// Who has which name.
pub trait Names {
    /// The user of a name, with all its groups.
    fn user(&self, name: &str) -> Option<TaskUser>;
    /// The number of a group's name.
    fn group(&self, name: &str) -> Option<u32>;
}

/// The names that this machine knows. Asking may block, as a directory service does.
#[derive(Debug, Clone, Copy)]
pub struct HostNames;

impl UserPolicy {
    /// Tasks may run as anybody.
    pub fn open() -> Self {
        Self { denied: Vec::new() }
    }

    /// Tasks may not run as these, by name or number.
    pub fn denying(users: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { denied: users.into_iter().map(Into::into).collect() }
    }

    /// Whether anybody is denied.
    pub fn is_open(&self) -> bool {
        self.denied.is_empty()
    }

    /// Why a user is denied, if it is.
    fn objection(&self, user: &TaskUser, names: &impl Names) -> Option<String> {
        let denied = self.denied.iter().filter_map(|name| Some((name, resolve(name, names).ok()?)));
        for (name, other) in denied {
            if other.uid == user.uid {
                return Some(format!("it is {name} (uid {})", user.uid));
            }
            if other.uid == ROOT && (user.gid == ROOT || user.groups.contains(&ROOT)) {
                return Some(format!("it is in the group of {name} (gid {ROOT})"));
            }
        }
        None
    }
}

/// The user that a job names as `user`, `uid`, `user:group` or `uid:gid`, if the policy lets a task run as it.
pub fn admit(spelling: &str, names: &impl Names, policy: &UserPolicy) -> Result<TaskUser, StartError> {
    let user = resolve(spelling, names).map_err(StartError::Fatal)?;
    match policy.objection(&user, names) {
        Some(why) => Err(StartError::Fatal(format!("this node does not allow the user {spelling:?}: {why}"))),
        None => Ok(user),
    }
}

/// The same for the agent's own user, for a job that names none.
pub fn admit_own(policy: &UserPolicy) -> Result<(), StartError> {
    match policy.objection(&own_user(), &HostNames) {
        Some(why) => Err(StartError::Fatal(format!(
            "the job names no user, and this node does not allow that of the agent: {why}"
        ))),
        None => Ok(()),
    }
}

/// Inside of an image names mean what the image says, and a user without a group gets what it says, too: where
/// somebody is denied, only `uid:gid` can be judged.
pub fn admit_in_image(user: Option<&str>, groups: &[String], policy: &UserPolicy) -> Result<(), StartError> {
    if policy.is_open() {
        return Ok(());
    }
    for spelling in groups {
        let judged = admit(&format!("{NOBODY}:{spelling}"), &RootAlone, policy);
        judged.map_err(|error| StartError::Fatal(format!("group_add = [{spelling:?}]: {error}")))?;
    }
    let Some(spelling) = user else { return Ok(()) };
    admit(spelling, &RootAlone, policy)?;
    if spelling.contains(':') {
        return Ok(());
    }
    let text = format!(
        "this node does not allow every user, and the image decides which group {spelling:?} has: write `uid:gid`"
    );
    Err(StartError::Fatal(text))
}

/// A user that nobody denies, to judge a group alone.
const NOBODY: u32 = 65534;

/// The one name that means the same in every image.
struct RootAlone;

impl Names for RootAlone {
    fn user(&self, name: &str) -> Option<TaskUser> {
        (name == "root").then_some(TaskUser { uid: ROOT, gid: ROOT, groups: Vec::new() })
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(ROOT)
    }
}

/// A number stands for itself, and alone for the group of the same number, too. A group that is named is the only one.
fn resolve(spelling: &str, names: &impl Names) -> Result<TaskUser, String> {
    let (user, group) = match spelling.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spelling, None),
    };
    let mut found = match number(user)? {
        Some(uid) => TaskUser { uid, gid: uid, groups: Vec::new() },
        None => names.user(user).ok_or_else(|| format!("there is no user {user:?} on this node"))?,
    };
    if let Some(group) = group {
        found.groups.clear();
        found.gid = match number(group)? {
            Some(gid) => gid,
            None => names.group(group).ok_or_else(|| format!("there is no group {group:?} on this node"))?,
        };
    }
    Ok(found)
}

/// A number as any reader of numbers takes it: `+0` and `00` are 0.
fn number(text: &str) -> Result<Option<u32>, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let number = digits.parse().ok().filter(|number| *number != NOBODY_AT_ALL);
    number
        .map(Some)
        .ok_or_else(|| format!("{text} is the number of no user or group; they end before {NOBODY_AT_ALL}"))
}

impl Names for HostNames {
    fn user(&self, name: &str) -> Option<TaskUser> {
        let user = User::from_name(name).ok().flatten()?;
        let c_name = std::ffi::CString::new(name).ok()?;
        let groups = getgrouplist(&c_name, user.gid).unwrap_or_default();
        let numbers = groups.into_iter().map(Gid::as_raw).filter(|gid| *gid != user.gid.as_raw()).collect();
        Some(TaskUser { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups: numbers })
    }
    fn group(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }
}

/// The user that runs this process.
pub fn own_user() -> TaskUser {
    TaskUser { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw(), groups: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a second name of root, somebody in its group, and somebody whose main group it is.
    struct Machine;

    impl Names for Machine {
        fn user(&self, name: &str) -> Option<TaskUser> {
            let (uid, gid, groups) = match name {
                "root" | "toor" => (0, 0, vec![]),
                "nobody" => (65534, 65534, vec![]),
                "web" => (1000, 1000, vec![7, 8]),
                "keeper" => (1001, 1001, vec![7, 0]),
                "operator" => (11, 0, vec![]),
                _ => return None,
            };
            Some(TaskUser { uid, gid, groups })
        }
        fn group(&self, name: &str) -> Option<u32> {
            Some(match name {
                "root" | "wheel" => 0,
                "www" => 33,
                _ => return None,
            })
        }
    }

    fn judged(policy: &UserPolicy, spelling: &str) -> String {
        match admit(spelling, &Machine, policy) {
            Ok(TaskUser { uid, gid, groups }) => format!("{uid}:{gid} {groups:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_spelling_of_root_is_root() {
        let policy = UserPolicy::denying(["root", "Administrator"]);
        let roots =
            ["root", "toor", "0", "00", "+0", "+00", "0:0", "00:1000", "0:www", "root:www", "toor:33"];
        for spelling in roots {
            let expected = format!("this node does not allow the user {spelling:?}: it is root (uid 0)");
            assert_eq!(judged(&policy, spelling), expected);
        }
        for spelling in ["1000:0", "web:root", "web:wheel", "nobody:+0", "65534:00", "keeper", "operator"] {
            let expected =
                format!("this node does not allow the user {spelling:?}: it is in the group of root (gid 0)");
            assert_eq!(judged(&policy, spelling), expected);
        }
    }

    #[test]
    fn others_are_resolved() {
        let policy = UserPolicy::denying(["0", "11"]);
        let table = [
            ("web", "1000:1000 [7, 8]"),
            ("web:www", "1000:33 []"),
            ("keeper:www", "1001:33 []"),
            ("1000", "1000:1000 []"),
            ("+7:8", "7:8 []"),
            ("operator:www", "this node does not allow the user \"operator:www\": it is 11 (uid 11)"),
            ("no-such", "there is no user \"no-such\" on this node"),
            ("web:no-such", "there is no group \"no-such\" on this node"),
            ("", "there is no user \"\" on this node"),
            ("-1", "there is no user \"-1\" on this node"),
            ("0x0", "there is no user \"0x0\" on this node"),
            (":0", "there is no user \"\" on this node"),
            ("0:", "there is no group \"\" on this node"),
            ("web:33:0", "there is no group \"33:0\" on this node"),
            ("4294967295", "4294967295 is the number of no user or group; they end before 4294967295"),
            ("4294967296", "4294967296 is the number of no user or group; they end before 4294967295"),
        ];
        for (spelling, expected) in table {
            assert_eq!(judged(&policy, spelling), expected, "{spelling:?}");
        }
        assert_eq!(judged(&UserPolicy::open(), "0:0"), "0:0 []");
    }

    #[test]
    fn inside_of_an_image_only_numbers_can_be_judged() {
        let policy = UserPolicy::denying(["root"]);
        let table = [
            (None, vec![], ""),
            (Some("1000:1000"), vec!["33"], ""),
            (Some("1000:1000"), vec!["+0"], "in the group of root"),
            (None, vec!["root"], "in the group of root"),
            (None, vec!["www"], "no group \"www\""),
            (Some("1000"), vec![], "write `uid:gid`"),
            (Some("1000:0"), vec![], "in the group of root"),
            (Some("root"), vec![], "it is root"),
            (Some("00:1"), vec![], "it is root"),
            (Some("toor"), vec![], "no user \"toor\""),
        ];
        for (user, groups, words) in table {
            let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
            let said = admit_in_image(user, &groups, &policy).err().map_or(String::new(), |e| e.to_string());
            assert!(
                said.contains(words) && words.is_empty() == said.is_empty(),
                "{user:?} {groups:?}: {said}"
            );
            assert_eq!(admit_in_image(user, &groups, &UserPolicy::open()), Ok(()));
        }
    }

    #[test]
    fn this_machine_is_asked() {
        assert_eq!(admit("root", &HostNames, &UserPolicy::open()).unwrap().uid, 0);
        assert!(admit("root", &HostNames, &UserPolicy::denying(["0"])).is_err());
    }
}
