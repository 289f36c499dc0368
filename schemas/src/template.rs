//! Files that are fetched or rendered into a task's directory before it starts: artifacts and templates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// A file or archive that is fetched before the task starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// The address, such as `https://example.com/app.tar.gz?checksum=sha256:…`; `git::`, `s3::` and others by prefix.
    pub source: String,
    /// Where it is put, relative to the task's directory. Default: `local/`.
    pub destination: String,
    /// `any`, `file` or `dir`. Default: `any`.
    pub mode: ArtifactMode,
    /// Options of the transfer, such as `checksum` or `archive`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// HTTP headers of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Whether certificates are not checked. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Whether the files belong to the task's user afterwards. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chown: bool,
}

impl Default for Artifact {
    fn default() -> Self {
        Artifact {
            source: String::new(),
            destination: "local/".to_owned(),
            mode: ArtifactMode::Any,
            options: BTreeMap::new(),
            headers: BTreeMap::new(),
            insecure: false,
            chown: false,
        }
    }
}

/// What an artifact is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactMode {
    /// Archives are unpacked, everything else is a file.
    #[default]
    Any,
    /// `destination` names one file.
    File,
    /// `destination` names a directory.
    Dir,
}

/// A file that is rendered from a text with placeholders and rendered again when what it shows changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Template {
    /// The text itself; excludes `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// A file inside the allocation that holds the text; excludes `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where the result is written, relative to the task's directory; must stay inside the allocation.
    pub destination: String,
    /// What happens when the result changes: `noop`, `restart`, `signal` or `script`. Default: `restart`.
    pub change_mode: ChangeMode,
    /// The signal of change mode `signal`. Default: `SIGHUP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_signal: Option<String>,
    /// The command of change mode `script`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_script: Option<ChangeScript>,
    /// Whether the lines `KEY=value` of the result become environment variables. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub env: bool,
    /// Whether it is rendered once only. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// The longest random wait before a change takes effect, so that not all instances act at once. Default: 5s.
    pub splay: Duration,
    /// The file mode in octal. Default: `0644`.
    pub perms: String,
    /// The owner's user id. Default: the task's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The owner's group id. Default: the task's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// What opens a placeholder. Default: `{{`.
    pub left_delimiter: String,
    /// What closes a placeholder. Default: `}}`.
    pub right_delimiter: String,
    /// How long changes are gathered before the file is rendered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Whether a placeholder without a value is an error. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub error_on_missing_key: bool,
}

impl Default for Template {
    fn default() -> Self {
        Template {
            data: None,
            source: None,
            destination: String::new(),
            change_mode: ChangeMode::Restart,
            change_signal: None,
            change_script: None,
            env: false,
            once: false,
            splay: Duration::from_seconds(5),
            perms: "0644".to_owned(),
            uid: None,
            gid: None,
            left_delimiter: "{{".to_owned(),
            right_delimiter: "}}".to_owned(),
            wait: None,
            error_on_missing_key: false,
        }
    }
}

/// What happens to a task when a file it depends on has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeMode {
    /// Nothing.
    #[default]
    Noop,
    /// The task is restarted.
    Restart,
    /// The task gets a signal.
    Signal,
    /// A command runs inside the task (templates only).
    Script,
}

/// A command that runs inside the task after a template changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeScript {
    /// The program.
    pub command: String,
    /// Its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How long it may run. Default: 5s.
    pub timeout: Duration,
    /// Whether the task fails when the command fails. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_on_error: bool,
    /// Whether it also runs after the first rendering. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub run_on_first_render: bool,
}

impl Default for ChangeScript {
    fn default() -> Self {
        ChangeScript {
            command: String::new(),
            args: Vec::new(),
            timeout: Duration::from_seconds(5),
            fail_on_error: false,
            run_on_first_render: false,
        }
    }
}

/// How long changes are gathered before a template is rendered again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    /// The shortest quiet time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Duration>,
    /// The longest delay in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
}
