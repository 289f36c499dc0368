//! `encamp diff`: how files differ from what the server has, as a unified diff. Exit 0, 1 or 255.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use similar::TextDiff;

use super::connection::CliError;
use super::tree::{FileArgs, Global};
use super::{apply, files, print};

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Files or folders; `-` is stdin.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same, as kubectl spells it.
    #[arg(long, short = 'f', value_name = "FILE")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    variables: FileArgs,
}

/// Shows differences; an error exits with 255 so that it cannot be taken for one.
pub(super) async fn diff(global: &Global, args: &DiffArgs) -> Result<ExitCode, CliError> {
    match differences(global, args).await {
        Ok(found) => Ok(apply::changes_code(found)),
        Err(error) => {
            print::complain(&error);
            Ok(ExitCode::from(255))
        }
    }
}

async fn differences(global: &Global, args: &DiffArgs) -> Result<bool, CliError> {
    let paths: Vec<PathBuf> = args.files.iter().chain(&args.filename).cloned().collect();
    if paths.is_empty() {
        return Err(CliError::failed("name a file, as in `encamp diff web.hcl`"));
    }
    let connection = global.connect()?;
    let mut found = false;
    for document in files::read(&paths, &args.variables)? {
        let target = document.target(&connection, global).await?;
        let live = match connection.get(target.path()).await {
            Err(CliError::NotFound(_)) => None,
            other => Some(other?),
        };
        let merged = apply::foresee(&connection, &target, document.value()).await;
        let merged = merged.map_err(|error| document.explained(error))?;
        let before = live.map(shown).transpose()?.unwrap_or_default();
        let after = shown(merged)?;
        if before != after {
            found = true;
            let name = format!("{}/{}", target.kind.singular, target.name);
            let text = TextDiff::from_lines(&before, &after);
            print::raw(
                &text.unified_diff().header(&format!("live/{name}"), &format!("merged/{name}")).to_string(),
            );
        }
    }
    Ok(found)
}

/// A document without what changes by itself.
fn shown(mut document: Value) -> Result<String, CliError> {
    if let Some(object) = document.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = document["metadata"].as_object_mut() {
        for field in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"] {
            metadata.remove(field);
        }
    }
    print::yaml(&document)
}
