//! The commands that need no server: validate, fmt, explain, schema, completion.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use schemas::text::{self, Checked, Source};
use serde_json::json;

use super::connection::CliError;
use super::tree::FileArgs;
use super::{files, print, status};

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Job files, or folders of them; `-` is stdin.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    variables: FileArgs,
    /// json: every problem with its place, for editors and scripts.
    #[arg(long, short = 'o', value_name = "FORM", value_parser = ["json"])]
    output: Option<String>,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub(super) struct FmtArgs {
    /// HCL files; `-` reads stdin and writes stdout.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a file is not in the canonical form.
    #[arg(long)]
    check: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The field, as in `job.groups.tasks`.
    field: String,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// The kind, as in `job`.
    #[arg(default_value = "job")]
    kind: String,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// The shell.
    shell: Shell,
}

/// Checks files and tells everything that is wrong with them.
pub(super) fn validate(args: &ValidateArgs) -> Result<(), CliError> {
    let options = files::options(&args.variables)?;
    let mut failures = 0;
    let mut told = Vec::new();
    for path in &files::expand(&args.files)? {
        let source = match files::load(path) {
            Ok(source) => source,
            Err(error) => {
                failures += 1;
                print::talk(&format!("error: {error}"));
                continue;
            }
        };
        let checked = text::jobs(&source, &options);
        failures += usize::from(!checked.is_taken());
        if args.output.is_some() {
            let Checked { names: _, errors, unbuilt, warnings } = checked;
            told.extend(errors.into_iter().chain(unbuilt).chain(warnings));
            continue;
        }
        tell(&checked, &source);
    }
    if args.output.is_some() {
        print::out(&serde_json::to_string_pretty(&told).unwrap_or_default());
    }
    match failures {
        0 => Ok(()),
        1 => Err(CliError::failed("1 file would be refused")),
        failures => Err(CliError::failed(format!("{failures} files would be refused"))),
    }
}

/// Tells what is wrong with one file, or that nothing is.
fn tell(checked: &Checked, source: &Source) {
    let Checked { names, errors, unbuilt, warnings } = checked;
    files::warn(warnings, source);
    if !errors.is_empty() {
        print::talk(text::render(errors, source).trim_end());
    }
    let verdict = if unbuilt.is_empty() { "is valid" } else { "is well formed" };
    if errors.is_empty() {
        names.iter().for_each(|name| print::out(&format!("{}: job {name:?} {verdict}", source.name())));
    }
    if !unbuilt.is_empty() {
        print::talk(&format!(
            "{}: a server refuses it, because it asks for what is not built:",
            source.name()
        ));
        print::talk(text::render(unbuilt, source).trim_end());
    }
}

/// Prints the version.
pub(super) fn version(form: &status::Form) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let output = form.output()?;
    if output.is_table() {
        print::out(&format!("encamp {version}"));
        return Ok(());
    }
    print::print_document(&json!({"name": "encamp", "version": version}), &output)
}

/// Formats files in place.
pub(super) fn format(args: &FmtArgs) -> Result<(), CliError> {
    let mut off = Vec::new();
    for path in &args.files {
        let source = files::load(path)?;
        let formatted = text::format_hcl(&source)
            .map_err(|error| CliError::failed(format!("\n{}", text::render(&[error], &source).trim_end())))?;
        let is_stdin = source.name() == "-";
        match (args.check, formatted == source.text()) {
            (true, false) => off.push(source.name().to_owned()),
            (false, _) if is_stdin => print::raw(&formatted),
            (false, false) => {
                std::fs::write(path, formatted)
                    .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
                print::out(source.name());
            }
            (true | false, true) => {}
        }
    }
    if off.is_empty() {
        return Ok(());
    }
    off.iter().for_each(|name| print::out(name));
    Err(CliError::failed("not in the canonical form; `encamp fmt` mends it"))
}

/// Describes a field.
pub(super) fn explain(args: &ExplainArgs) -> Result<(), CliError> {
    let path: Vec<&str> = args.field.split('.').collect();
    let explanation =
        schemas::explain::explain(&path).map_err(|error| CliError::failed(error.to_string()))?;
    print::raw(&explanation.to_string());
    Ok(())
}

/// Prints a JSON Schema.
pub(super) fn schema(args: &SchemaArgs) -> Result<(), CliError> {
    let schema = schemas::schema::of(&args.kind).map_err(|error| CliError::failed(error.to_string()))?;
    print::out(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Ok(())
}

/// Prints a completion script.
pub(super) fn complete(args: &CompletionArgs, command: &mut clap::Command) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "encamp", &mut script);
    print::bytes(&script);
}
