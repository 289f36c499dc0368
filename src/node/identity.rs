//! Which node this is: an id made once and kept in the data directory, and a session of each agent process.
//!
//! The name is a label for people and the key of all documents; the id and the session tell two agents of one name
//! apart. A new process says which sessions it follows if it can prove that the former processes of this very
//! directory are gone: it holds the directory's lock, and the directory is the same inode in the same boot of the machine. A
//! copied directory and a cloned machine cannot say so. Where nothing can be written, a kept session is used again.
//! Whoever can prove nothing is let in once its predecessor counts as silent.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use schemas::node::{AgentBeat, FORMER_SESSIONS};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Made once.
const ID_FILE: &str = "node-id";
/// Written at each start.
const SESSION_FILE: &str = "session";

/// What an agent process says of itself with every beat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The node, as long as its data directory lives.
    pub id: String,
    /// This process.
    pub session: String,
    /// The former processes of this directory that are proved to be gone, the latest first. Not the last one alone:
    /// it may have died before the cluster knew of it.
    pub follows: Vec<String>,
    /// How far beats of this session may have been counted already.
    pub counted: u64,
    /// What the directory tells about itself that may explain a refusal; for people.
    pub remarks: Vec<String>,
}

/// Where a file was written: tells a directory from its copy, and a machine from its clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    /// The installation of the system.
    machine: String,
    /// The boot of the machine.
    boot: String,
    /// The data directory.
    device: u64,
    inode: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdFile {
    id: Uuid,
    #[serde(default)]
    made: Place,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionFile {
    session: Uuid,
    #[serde(default)]
    node: String,
    #[serde(default)]
    at: Place,
    /// The sessions before it at the same place, the latest first.
    #[serde(default)]
    before: Vec<Uuid>,
}

/// Why no agent can run over the directory.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Its tasks belong to another node.
    #[error(
        "{folder} belongs to the node {was:?} and still holds its tasks, but this agent is to be {is:?}: nothing was touched. Start it with --node {was}; or drain and purge {was:?} first; or name an empty --data-dir; or give these tasks up with --reset-node-id",
        folder = folder.display()
    )]
    Renamed {
        /// The directory.
        folder: PathBuf,
        /// The name it was used under.
        was: String,
        /// The name it is to be used under.
        is: String,
    },
}

impl Identity {
    /// Reads who this directory is, or makes it somebody. Whoever calls holds the directory's lock. Blocks.
    pub fn open(folder: &Path, node: &str) -> Result<Identity, IdentityError> {
        let here = Place::of(folder);
        let mut remarks = Vec::new();
        let before: Option<SessionFile> = read(&folder.join(SESSION_FILE)).ok().flatten();
        if let Some(before) = &before
            && before.node != node
            && !before.node.is_empty()
            && holds_tasks(folder)
        {
            let (was, is) = (before.node.clone(), node.to_owned());
            return Err(IdentityError::Renamed { folder: folder.to_owned(), was, is });
        }
        let id = kept_id(folder, &here, &mut remarks);
        let proved = before.filter(|before| before.node == node && before.at.is(&here));
        let gone = proved.iter().flat_map(SessionFile::line).take(FORMER_SESSIONS).collect();
        let file = SessionFile { session: Uuid::new_v4(), node: node.to_owned(), at: here, before: gone };
        let (session, follows, counted) = match (replace(folder, SESSION_FILE, &file), proved) {
            (Ok(()), _) => (file.session, file.before, 0),
            (Err(error), Some(proved)) => {
                tracing::warn!(
                    "{}: no session can be kept ({error}): the former one is used again",
                    folder.display()
                );
                (proved.session, proved.before, now_ms())
            }
            (Err(error), None) => {
                tracing::error!(
                    "{}: the session cannot be kept ({error}): servers will not know this agent again after its next \
                     start, until they call it down. Make the directory writable and make room",
                    folder.display()
                );
                (file.session, Vec::new(), 0)
            }
        };
        let follows = follows.iter().map(Uuid::to_string).collect();
        Ok(Identity { id: id.to_string(), session: session.to_string(), follows, counted, remarks })
    }

    /// The id and the name that the directory was used under last, if any. Blocks.
    pub fn last_of(folder: &Path) -> (Option<String>, Option<String>) {
        let id: Option<IdFile> = read(&folder.join(ID_FILE)).ok().flatten();
        let session: Option<SessionFile> = read(&folder.join(SESSION_FILE)).ok().flatten();
        (id.map(|file| file.id.to_string()), session.map(|file| file.node))
    }

    /// Forgets who this directory was: for a copy that is to be a node of its own. Blocks.
    pub fn reset(folder: &Path) -> io::Result<()> {
        for file in [ID_FILE, SESSION_FILE] {
            match fs::remove_file(folder.join(file)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Somebody without a directory: for tests and simulations.
    pub fn named(id: &str, session: &str, follows: &[String]) -> Identity {
        let (id, session, follows) = (id.to_owned(), session.to_owned(), follows.to_owned());
        Identity { id, session, follows, counted: 0, remarks: Vec::new() }
    }

    /// What all its beats say.
    pub(crate) fn says(&self) -> AgentBeat {
        let Identity { id, session, follows, counted, remarks: _ } = self.clone();
        AgentBeat { told: false, id, session, follows, count: counted }
    }
}

impl SessionFile {
    /// All sessions of the place, the latest first.
    fn line(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.session).chain(self.before.iter().copied())
    }
}

/// More than any count of beats of an earlier process.
fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

impl Place {
    fn of(folder: &Path) -> Place {
        let word = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let (device, inode) = fs::metadata(folder).map_or((0, 0), |found| (found.dev(), found.ino()));
        let boot = word("/proc/sys/kernel/random/boot_id");
        Place { machine: word("/etc/machine-id"), boot, device, inode }
    }

    /// Whether it is proved to be the same place in the same boot.
    fn is(&self, other: &Place) -> bool {
        let Place { machine: _, boot, device, inode } = self;
        !boot.is_empty() && *inode != 0 && (boot, device, inode) == (&other.boot, &other.device, &other.inode)
    }
}

/// The id as it was kept; a new one where there is none. One that cannot be read is set aside.
fn kept_id(folder: &Path, here: &Place, remarks: &mut Vec<String>) -> Uuid {
    let path = folder.join(ID_FILE);
    match read::<IdFile>(&path) {
        Ok(Some(file)) => {
            remarks.extend(moved(&file.made, here));
            return file.id;
        }
        Ok(None) => {}
        Err(error) => {
            let aside = path.with_extension("damaged");
            let kept = fs::rename(&path, &aside).map_or("", |()| "; it is kept as node-id.damaged");
            let what =
                format!("{} could not be read ({error}){kept}: this node has a new id", path.display());
            tracing::error!("{what}. Servers accept it once they call the former one silent");
            remarks.push(what);
        }
    }
    let id = Uuid::new_v4();
    let file = IdFile { id, made: here.clone() };
    if let Err(error) = replace(folder, ID_FILE, &file) {
        tracing::error!(
            "{}: the node's id cannot be kept ({error}): this process has one for itself, and the next will have \
             another. Make the directory writable and make room",
            path.display()
        );
        remarks.push(format!("the node's id could not be kept in {}", folder.display()));
    }
    id
}

/// What became of the directory since its id was made.
fn moved(made: &Place, here: &Place) -> Option<String> {
    let is_other_machine = !made.machine.is_empty() && made.machine != here.machine;
    let is_other_folder = made.inode != 0 && made.inode != here.inode;
    match (is_other_machine, is_other_folder) {
        (true, _) => Some(format!(
            "the id in this data directory was made on another machine ({}, this is {}): the machine or its disk was \
             cloned or moved",
            made.machine, here.machine
        )),
        (false, true) => Some("this data directory is a copy: its id was made in another one".to_owned()),
        (false, false) => None,
    }
}

/// Whether anything of a node is remembered or may run.
fn holds_tasks(folder: &Path) -> bool {
    let drivers = fs::read_dir(folder.join("drivers")).into_iter().flatten().flatten();
    let any = |path: PathBuf| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    drivers.into_iter().any(|driver| any(driver.path()))
}

/// The file; nothing if there is none.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file durably: after a crash the old or the new one is there, whole.
fn replace<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
