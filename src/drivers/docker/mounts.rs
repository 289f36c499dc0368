//! What of the host a container sees: the task's own folders always, others only where the operator allows it.

use std::path::{Path, PathBuf};

use bollard::models::{Mount, MountTmpfsOptions, MountType};

use super::config::{Config, MountConfig, fatal};
use crate::contract::{StartError, TaskDirs};

/// Where a container may find what it mounts.
pub(super) struct Sources<'a> {
    pub(super) dirs: &'a TaskDirs,
    /// Any folder of the host and docker volumes, not only the allocation.
    pub(super) are_volumes_allowed: bool,
}

impl Sources<'_> {
    /// All mounts of a container.
    pub(super) fn mounts(&self, config: &Config) -> Result<Vec<Mount>, StartError> {
        let TaskDirs { shared, local, secrets, root: _, logs: _ } = self.dirs;
        let mut mounts = vec![bind(shared, "/alloc"), bind(local, "/local"), bind(secrets, "/secrets")];
        for volume in &config.volumes {
            mounts.push(self.short(volume)?);
        }
        for mount in config.mount.iter().chain(&config.mounts) {
            mounts.push(self.long(mount)?);
        }
        Ok(mounts)
    }

    /// `source:target[:ro]`.
    fn short(&self, text: &str) -> Result<Mount, StartError> {
        let mut parts = text.split(':');
        let (Some(source), Some(target), mode, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(fatal(&format!("volume {text:?} is not `source:target` or `source:target:ro`")));
        };
        let options: Vec<&str> = mode.map(|mode| mode.split(',').collect()).unwrap_or_default();
        if let Some(option) = options.iter().find(|option| !["ro", "rw", "z", "Z"].contains(*option)) {
            return Err(fatal(&format!("volume {text:?}: unknown option {option:?}")));
        }
        let read_only = Some(options.contains(&"ro"));
        Ok(Mount { read_only, ..bind(&self.find(source)?, target) })
    }

    fn long(&self, mount: &MountConfig) -> Result<Mount, StartError> {
        let source = mount.source.as_deref().unwrap_or_default();
        match mount.r#type.as_deref().unwrap_or("volume") {
            "bind" => {
                Ok(Mount { read_only: Some(mount.readonly), ..bind(&self.find(source)?, &mount.target) })
            }
            "tmpfs" => Ok(Mount {
                typ: Some(MountType::TMPFS),
                target: Some(mount.target.clone()),
                tmpfs_options: mount.tmpfs_options.as_ref().map(|options| MountTmpfsOptions {
                    size_bytes: options.size,
                    mode: options.mode,
                    options: None,
                }),
                ..Mount::default()
            }),
            "volume" if !self.are_volumes_allowed => Err(fatal("this node does not allow docker volumes")),
            "volume" => Ok(Mount {
                typ: Some(MountType::VOLUME),
                source: mount.source.clone(),
                target: Some(mount.target.clone()),
                read_only: Some(mount.readonly),
                ..Mount::default()
            }),
            other => Err(fatal(&format!("mount type {other:?} is not one of bind, tmpfs, volume"))),
        }
    }

    /// A relative source lies in the task's folder; it may not lead out of the allocation, not by `..` nor by a link.
    /// A task beside this one that swaps a folder for a link between this look and the daemon's is not defended against.
    fn find(&self, source: &str) -> Result<PathBuf, StartError> {
        let path = self.dirs.root.join(source);
        let allocation = self.dirs.root.parent().unwrap_or(&self.dirs.root);
        let allocation = allocation.canonicalize().unwrap_or_else(|_| allocation.to_owned());
        let existing =
            path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
        let is_plain = path.components().all(|part| part != std::path::Component::ParentDir);
        let is_inside = existing.canonicalize().is_ok_and(|existing| existing.starts_with(&allocation));
        if is_plain && is_inside {
            // Docker makes what a volume lacks; of a mount, which this becomes, it demands that the source exists.
            let made = if path.exists() { Ok(()) } else { std::fs::create_dir_all(&path) };
            return made.map(|()| path).map_err(|error| fatal(&format!("volume source {source:?}: {error}")));
        }
        if self.are_volumes_allowed {
            return Ok(path);
        }
        Err(fatal(&format!(
            "volume source {source:?} leads out of the allocation, which this node does not allow"
        )))
    }
}

/// A folder of the host that may be written.
fn bind(source: &Path, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_string_lossy().into_owned()),
        target: Some(target.to_owned()),
        read_only: Some(false),
        ..Mount::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stay_in_the_allocation() {
        let root = tempfile::tempdir().unwrap();
        let task = root.path().join("a/web");
        std::fs::create_dir_all(task.join("local")).unwrap();
        std::os::unix::fs::symlink("/etc", task.join("local/link")).unwrap();
        let path = |name: &str| task.join(name);
        let dirs = TaskDirs {
            shared: root.path().join("a/alloc"),
            logs: root.path().join("a/alloc/logs"),
            local: path("local"),
            secrets: path("secrets"),
            root: task.clone(),
        };
        let verdict = |text: &str, are_volumes_allowed: bool| {
            let sources = Sources { dirs: &dirs, are_volumes_allowed };
            sources.short(text).map(|mount| mount.source.unwrap())
        };
        let at = |name: &str| Ok(path(name).display().to_string());
        assert_eq!(verdict("local/data:/data", false), at("local/data"));
        assert!(path("local/data").is_dir(), "it is made");
        for text in ["/etc:/x", "../../b:/x", "local/link:/x", "local/link/new:/x", "local/../../../y:/x"] {
            assert!(verdict(text, false).is_err(), "{text}");
            assert!(verdict(text, true).is_ok(), "{text}");
        }
        for text in ["local", "a:b:ro:x", "local:/x:exec"] {
            assert!(verdict(text, true).is_err(), "{text}");
        }
    }
}
