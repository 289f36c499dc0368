//! `encamp init`: an example job to start from.

use std::path::PathBuf;

use clap::Args;

use super::connection::CliError;
use super::print;

/// The example in both spellings: the same files that the repository ships and tests.
const HCL: &str = include_str!("../../schemas/examples/web.hcl");
const YAML: &str = include_str!("../../schemas/examples/web.yaml");

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where to write it. Default: web.hcl, or web.yaml with --yaml.
    file: Option<PathBuf>,
    /// Write YAML instead of HCL.
    #[arg(long)]
    yaml: bool,
}

/// Writes the example; a file that exists is left alone.
pub(super) fn init(args: &InitArgs) -> Result<(), CliError> {
    let (text, name) = if args.yaml { (YAML, "web.yaml") } else { (HCL, "web.hcl") };
    let path = args.file.clone().unwrap_or_else(|| name.into());
    let shown = path.display();
    if path.exists() {
        return Err(CliError::failed(format!("{shown} exists already; name another file")));
    }
    std::fs::write(&path, text).map_err(|error| CliError::failed(format!("{shown}: {error}")))?;
    print::out(&format!("Example job file written to {shown}"));
    print::talk(&format!("try: encamp run {shown}"));
    Ok(())
}
