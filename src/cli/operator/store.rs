//! `encamp operator store`: the store itself, without a server, and the history it holds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use schemas::codec;
use schemas::key::{Key, Prefix};

use super::epoch::{self, AcceptArgs};
use crate::tree::Global;
use crate::{CliError, print};
use process::StoreArgs;
use store::{self, Embedded, Inspection, OpenError, Repaired, Store as _};

/// What can be done to a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Look at every document of an embedded store that nobody serves; exit with 1 if anything is wrong.
    Check(PlaceArgs),
    /// Copy what is sound of a damaged embedded store into a new file beside it.
    Repair(PlaceArgs),
    /// Print one document as JSON, however it is stored.
    Get(Box<GetArgs>),
    /// Show the store's epoch, those it follows, and the nodes that wait for it to be accepted.
    Status,
    /// Say, once, that the store was restored from a backup: agents follow it by themselves then.
    Restored(RestoredArgs),
    /// Say, once, that nodes which run tasks of another store follow this one: tasks it does not know are ended.
    Accept(AcceptArgs),
}

/// Which store.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// embedded:PATH, or the PATH alone: the folder that holds store.redb.
    place: String,
}

impl PlaceArgs {
    fn folder(&self) -> Result<&Path, CliError> {
        let (scheme, rest) = self.place.split_once(':').unwrap_or(("embedded", &self.place));
        if scheme != "embedded" || rest.is_empty() {
            let why = format!("{:?} is no embedded store: write embedded:PATH", self.place);
            return Err(CliError::failed(why));
        }
        Ok(Path::new(rest))
    }
}

/// Arguments of `restored`.
#[derive(Debug, Args)]
pub(crate) struct RestoredArgs {
    /// embedded:PATH, for a copy that was put back while no server runs. Default: the store of the server that answers.
    place: Option<PlaceArgs>,
}

impl From<String> for PlaceArgs {
    fn from(place: String) -> PlaceArgs {
        PlaceArgs { place }
    }
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Its key, as in `/jobs/default/web`; one that ends in `/` lists the keys below it.
    key: String,
    /// The data directory of a server that does not run.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    storage: StoreArgs,
}

/// Does it.
pub(super) fn run(global: &Global, command: StoreCommand) -> Result<ExitCode, CliError> {
    match command {
        StoreCommand::Check(args) => check(args.folder()?)?,
        StoreCommand::Repair(args) => repair(args.folder()?)?,
        StoreCommand::Get(args) => wait_for(get(&args))?,
        StoreCommand::Status => wait_for(epoch::status(global))?,
        StoreCommand::Restored(RestoredArgs { place: None }) => wait_for(epoch::restored(global))?,
        StoreCommand::Restored(RestoredArgs { place: Some(place) }) => {
            let folder = place.folder()?;
            if !folder.join("store.redb").exists() {
                return Err(CliError::NotFound(format!("there is no store in {}", folder.display())));
            }
            Embedded::trust_copy(folder).map_err(|error| failed(&error))?;
            let opened = Embedded::open(folder, store::Limits::default());
            wait_for(epoch::restored_in(&opened.map_err(|error| failed(&error))?))?;
        }
        StoreCommand::Accept(args) => wait_for(epoch::accept(global, &args))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_for(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| CliError::failed(error.to_string()))?.block_on(work)
}

fn check(folder: &Path) -> Result<(), CliError> {
    let Inspection { documents, revision, faults } =
        Embedded::check(folder).map_err(|error| failed(&error))?;
    let at = revision.map_or("an unknown revision".to_owned(), |revision| format!("revision {revision}"));
    if faults.is_empty() {
        print::out(&format!("sound: {documents} documents at {at}"));
        return Ok(());
    }
    faults.iter().for_each(|fault| print::out(fault));
    Err(CliError::failed(format!(
        "{} is damaged ({} found): {documents} documents at {at} are sound",
        folder.display(),
        counted(faults.len() as u64, "fault")
    )))
}

fn repair(folder: &Path) -> Result<(), CliError> {
    let Some(repaired) = Embedded::repair(folder).map_err(|error| failed(&error))? else {
        print::out("nothing to repair: the store is sound");
        return Ok(());
    };
    let Repaired { file, documents, faults, lost, is_searched } = repaired;
    print::out("what was wrong:");
    faults.iter().for_each(|fault| print::out(&format!("  {fault}")));
    match (lost, is_searched) {
        (_, true) => print::out(
            "the file could not be opened and was searched page by page: what was found may be older than what \
             was written last, or deleted since, and what is missing cannot be named",
        ),
        (Some(0), false) => print::out("no document is lost"),
        (Some(lost), false) => print::out(&format!("lost: {}", counted(lost, "document"))),
        (None, false) => print::out("how many documents are lost cannot be told"),
    }
    let (folder, file) = (folder.display(), file.display());
    print::out(&format!(
        "saved: {documents} documents in {file}; the old file is as it was. To go on with what was saved:\n  \
         mv {folder}/store.redb {folder}/store.damaged.redb && mv {file} {folder}/store.redb"
    ));
    Ok(())
}

async fn get(args: &GetArgs) -> Result<(), CliError> {
    let (address, options) = (args.storage.address(args.data_dir.as_deref())?, args.storage.options()?);
    let prefix = match args.key.strip_suffix('/') {
        Some(_) => Prefix::under(&args.key),
        None => {
            Prefix::one(&Key::new(args.key.as_str()).map_err(|error| CliError::failed(error.to_string()))?)
        }
    };
    if let Some(folder) = address.strip_prefix("embedded:")
        && !Path::new(folder).join("store.redb").exists()
    {
        // Opening it would make a new one.
        return Err(CliError::NotFound(format!("there is no store in {folder}")));
    }
    let store = store::open(&address, &options).await.map_err(|error| failed(&error))?;
    let listing = store.list(&prefix).await.map_err(|error| CliError::failed(error.to_string()))?;
    if !prefix.is_exact() {
        listing.entries.iter().for_each(|entry| print::out(entry.key.as_str()));
        return Ok(());
    }
    let Some(entry) = listing.entries.first() else {
        return Err(CliError::NotFound(format!("there is no document {}", args.key)));
    };
    let document = codec::to_json(&entry.value);
    let document = document.map_err(|error| CliError::failed(format!("{}: {error}", entry.key)))?;
    print::out(&serde_json::to_string_pretty(&document).unwrap_or_default());
    Ok(())
}

fn failed(error: &OpenError) -> CliError {
    CliError::failed(error.to_string())
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
