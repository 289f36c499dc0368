//! What a reader may know besides the text: its format and the values of its variables.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::source::Source;

/// The spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Nomad's job language.
    Hcl,
    /// YAML with Kubernetes' envelope.
    Yaml,
    /// JSON with the same envelope.
    Json,
}

/// The files that a job file may read by `file("…")`. `text` is the name of the text that names the path: relative
/// paths begin at its folder. What goes wrong is told in a sentence.
pub trait Files: Debug + Send + Sync {
    /// The bytes of a file.
    fn read(&self, text: &str, path: &str) -> Result<Vec<u8>, String>;
    /// Whether there is such a file.
    fn exists(&self, text: &str, path: &str) -> bool;
}

/// How to read a text.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format; guessed from the name and the first character if it is not given.
    pub format: Option<Format>,
    /// Values of HCL variables from the command line, over all others.
    pub variables: BTreeMap<String, String>,
    /// Files with values of HCL variables; later ones win.
    pub var_files: Vec<Source>,
    /// The environment; `ENCAMP_VAR_x` and `NOMAD_VAR_x` are values of HCL variables, under all others.
    pub env: BTreeMap<String, String>,
    /// The files that the text may read. Only a command line offers them: on a server a text of somebody else
    /// would read the server's own.
    pub files: Option<Arc<dyn Files>>,
    /// Whether values for variables that the text does not declare are ignored instead of refused.
    pub ignore_undeclared: bool,
}

impl Format {
    /// The format that a file name tells.
    pub fn of_name(name: &str) -> Option<Format> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension {
            "hcl" | "nomad" | "tf" => Some(Format::Hcl),
            "yaml" | "yml" => Some(Format::Yaml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// The format of a text: what its name tells, else what it looks like.
    pub fn of(source: &Source) -> Format {
        Format::of_name(source.name()).unwrap_or_else(|| Format::of_text(source.text()))
    }

    fn of_text(text: &str) -> Format {
        if text.trim_start().starts_with(['{', '[']) {
            return Format::Json;
        }
        let looks_yaml = |line: &str| {
            line.starts_with("---") || line.starts_with("apiVersion:") || line.starts_with("kind:")
        };
        if text.lines().any(looks_yaml) { Format::Yaml } else { Format::Hcl }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Hcl => "hcl",
            Format::Yaml => "yaml",
            Format::Json => "json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_name_or_looks() {
        let of = |name: &str, text: &str| Format::of(&Source::new(name, text)).as_str();
        assert_eq!(of("web.nomad", "kind: Job"), "hcl");
        assert_eq!(of("web.yml", "{}"), "yaml");
        assert_eq!(of("-", " {\"kind\": 1}"), "json");
        assert_eq!(of("-", "# a comment\nkind: Job\n"), "yaml");
        assert_eq!(of("-", "job \"a\" {}"), "hcl");
    }
}
