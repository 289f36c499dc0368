//! `encamp get`: lists, as tables made by the server or as documents.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::connection::{Ask, CliError, Connection, quoted};
use super::kinds::{self, Kind};
use super::print::{self, Output};
use super::tree::Global;

/// The media type of server-made tables.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// KIND [NAME…] or KIND/NAME…; several kinds are joined by commas.
    #[arg(required = true)]
    what: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    /// wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=HEADER:PATH,…
    #[arg(long, short = 'o', default_value = "", hide_default_value = true)]
    output: String,
    /// After listing, go on printing what changes.
    #[arg(long, short = 'w')]
    watch: bool,
    /// Leave the header line out.
    #[arg(long)]
    no_headers: bool,
}

/// Which documents are meant.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Choice {
    /// In all namespaces.
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Only those with these labels, as in `app=web,tier!=db`.
    #[arg(long, short = 'l', value_name = "LABELS")]
    pub selector: Option<String>,
    /// Only those with these fields, as in `spec.job=web`.
    #[arg(long, value_name = "FIELDS")]
    pub field_selector: Option<String>,
}

impl Choice {
    /// The query of a list.
    pub(super) fn query(&self) -> String {
        let mut parts = Vec::new();
        if let Some(selector) = &self.selector {
            parts.push(format!("labelSelector={}", quoted(selector)));
        }
        if let Some(selector) = &self.field_selector {
            parts.push(format!("fieldSelector={}", quoted(selector)));
        }
        parts.join("&")
    }
}

/// Lists.
pub(super) async fn get(global: &Global, args: &GetArgs) -> Result<(), CliError> {
    let connection = global.connect()?;
    let output = print::parse_output(&args.output)?;
    let (first, names) = kinds::split(&args.what)?;
    let words: Vec<&str> = first.split(',').collect();
    for word in &words {
        let kind = kinds::kind(&connection, word).await?;
        let namespace = (!args.choice.all_namespaces).then(|| global.namespace());
        let list = List {
            connection: &connection,
            path: kind.path(namespace.as_deref()),
            kind,
            args,
            output: &output,
        };
        match (names.as_slice(), args.watch) {
            ([], false) => list.all().await?,
            ([], true) => list.watch(&args.choice.query()).await?,
            ([name], true) => list.watch(&format!("fieldSelector=metadata.name%3D{}", quoted(name))).await?,
            ([_, _, ..], true) => return Err(CliError::failed("watch one name or all, not several")),
            (names, false) => list.some(names).await?,
        }
    }
    Ok(())
}

struct List<'a> {
    connection: &'a Connection,
    kind: Kind,
    path: String,
    args: &'a GetArgs,
    output: &'a Output,
}

impl List<'_> {
    fn is_table(&self) -> bool {
        matches!(self.output, Output::Table | Output::Wide)
    }

    async fn ask(&self, path: String) -> Result<Value, CliError> {
        let accept = if self.is_table() { TABLE } else { "" };
        self.connection.value(Method::GET, Ask { accept, ..Ask::path(path) }).await
    }

    fn show(&self, answer: &Value, with_header: bool) -> Result<(), CliError> {
        if !self.is_table() {
            return print::print_document(answer, self.output);
        }
        let with_namespace = self.args.choice.all_namespaces && self.kind.is_namespaced;
        let with_header = with_header && !self.args.no_headers;
        print::print_table(answer, *self.output == Output::Wide, with_header, with_namespace);
        Ok(())
    }

    async fn all(&self) -> Result<(), CliError> {
        let answer = self.ask(format!("{}?{}", self.path, self.args.choice.query())).await?;
        if self.is_table() && answer["rows"].as_array().is_none_or(Vec::is_empty) {
            print::talk(&format!("No {} found.", self.kind.plural));
            return Ok(());
        }
        self.show(&answer, true)
    }

    async fn some(&self, names: &[String]) -> Result<(), CliError> {
        let mut documents = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let answer = self.ask(format!("{}/{}", self.path, quoted(name))).await?;
            if self.is_table() {
                self.show(&answer, number == 0)?;
            } else {
                documents.push(answer);
            }
        }
        match documents.as_slice() {
            [] => Ok(()),
            [one] => self.show(one, true),
            _ => {
                self.show(&serde_json::json!({"apiVersion": "v1", "kind": "List", "items": documents}), true)
            }
        }
    }

    /// Lists, then prints each change as it comes until the server ends the watch.
    async fn watch(&self, query: &str) -> Result<(), CliError> {
        let listed = self.ask(format!("{}?{query}", self.path)).await?;
        self.show(&listed, true)?;
        let from = listed["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let accept = if self.is_table() { TABLE } else { "" };
        let path = format!("{}?{query}&watch=true&resourceVersion={from}", self.path);
        let mut lines =
            super::monitor::Lines::open(self.connection, Ask { accept, ..Ask::path(path) }).await?;
        while let Some(event) = lines.next().await? {
            if event["type"] == "ERROR" {
                let message = event["object"]["message"].as_str().unwrap_or("the watch ended");
                return Err(CliError::failed(message));
            }
            if event["type"] != "BOOKMARK" {
                self.show(&event["object"], false)?;
            }
        }
        Ok(())
    }
}
