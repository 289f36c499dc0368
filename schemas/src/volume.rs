//! Storage: volumes a group claims, where tasks mount them, and tasks that serve volumes to others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// A volume that the group claims under a name; tasks mount it with `volumeMounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// The name inside the group.
    pub name: String,
    /// `host` (a directory that the node offers) or `csi` (a storage plugin). Default: `host`.
    #[serde(rename = "type")]
    pub volume_type: VolumeType,
    /// The volume's name on the node or in the storage system.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Whether tasks may only read. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Whether each allocation claims its own volume named `source[index]`. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub per_alloc: bool,
    /// Whether replacements must land where the volume of their predecessor is. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Who may read and write at the same time, such as `single-node-writer` or `multi-node-reader-only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// Whether the volume appears as a file system or as a raw device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_mode: Option<AttachmentMode>,
    /// How a `file-system` volume is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_options: Option<MountOptions>,
}

/// Where a volume comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VolumeType {
    /// A directory that the node offers.
    #[default]
    Host,
    /// A volume of a storage plugin (Container Storage Interface).
    Csi,
}

/// Who may read and write a volume at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessMode {
    /// One node, reading only.
    SingleNodeReaderOnly,
    /// One node, any number of writers on it.
    SingleNodeWriter,
    /// One node, one writer on it (host volumes).
    SingleNodeSingleWriter,
    /// One node, several writers on it (host volumes).
    SingleNodeMultiWriter,
    /// Many nodes, reading only.
    MultiNodeReaderOnly,
    /// Many nodes, one of them writing.
    MultiNodeSingleWriter,
    /// Many nodes, all writing.
    MultiNodeMultiWriter,
}

/// The form in which a volume appears to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentMode {
    /// A mounted directory.
    FileSystem,
    /// A raw block device.
    BlockDevice,
}

/// How a file system volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MountOptions {
    /// The file system, such as `ext4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fs_type: Option<String>,
    /// Options for the mount, such as `noatime`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mount_flags: Vec<String>,
}

/// Where a task sees one of its group's volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    /// The volume's name in the group.
    pub volume: String,
    /// The path inside the task.
    pub destination: String,
    /// Whether this task may only read. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Whether mounts made later are seen across: `private`, `host-to-task` or `bidirectional`. Default: `private`.
    pub propagation_mode: PropagationMode,
    /// SELinux label of the mount: `z` shared, `Z` private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
}

/// Whether mounts made after the start are seen across the border of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PropagationMode {
    /// Neither side sees new mounts of the other.
    #[default]
    Private,
    /// The task sees new mounts of the node.
    HostToTask,
    /// Both sides see new mounts.
    Bidirectional,
}

/// Makes the task a storage plugin that serves volumes to other tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct CsiPlugin {
    /// The plugin's name in the cluster.
    pub id: String,
    /// `node`, `controller` or `monolith` (both). Default: `monolith`.
    #[serde(rename = "type")]
    pub plugin_type: CsiPluginType,
    /// Where the plugin puts its socket inside the task. Default: `/csi`.
    pub mount_dir: String,
    /// Where volumes are staged and published inside the task. Default: `/local/csi`.
    pub stage_publish_base_dir: String,
    /// How long the plugin may take to become healthy. Default: 30s.
    pub health_timeout: Duration,
}

impl Default for CsiPlugin {
    fn default() -> Self {
        CsiPlugin {
            id: String::new(),
            plugin_type: CsiPluginType::Monolith,
            mount_dir: "/csi".to_owned(),
            stage_publish_base_dir: "/local/csi".to_owned(),
            health_timeout: Duration::from_seconds(30),
        }
    }
}

/// Which half of a storage plugin a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CsiPluginType {
    /// Mounts volumes on its own node.
    Node,
    /// Talks to the storage system.
    Controller,
    /// Both halves.
    #[default]
    Monolith,
}
