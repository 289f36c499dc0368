//! `encamp get`: lists, as tables made by the server or as documents.

use clap::Args;
use reqwest::Method;
use schemas::natural;
use serde_json::Value;

use super::connection::{Ask, CliError, Connection, quoted};
use super::kinds::{self, Kind};
use super::living::{self, Wanted};
use super::print::{self, Output};
use super::tree::Global;

/// The media type of server-made tables.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Arguments of `get`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
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
    /// Also the allocations that have ended; they are shown anyway where names or a phase are asked for.
    #[arg(long)]
    all: bool,
    /// Leave the header line out.
    #[arg(long)]
    no_headers: bool,
    /// Order by a field, as in `.metadata.creationTimestamp`.
    #[arg(long, value_name = "PATH", conflicts_with = "watch")]
    sort_by: Option<String>,
    /// Add a column with the labels.
    #[arg(long)]
    show_labels: bool,
    /// With -o json or yaml: also who owns which field.
    #[arg(long)]
    show_managed_fields: bool,
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
    let mut is_first = true;
    for (words, names) in kinds::split(&args.what)? {
        for word in kinds::several(&connection, &words).await? {
            if !std::mem::replace(&mut is_first, false) && output.is_table() {
                print::out("");
            }
            let kind = kinds::kind(&connection, &word).await?;
            let namespace = (!args.choice.all_namespaces).then(|| global.namespace());
            let path = kind.path(namespace.as_deref());
            let list = List { connection: &connection, path, kind, namespace, args, output: &output };
            list.print(&names).await?;
        }
    }
    Ok(())
}

struct List<'a> {
    connection: &'a Connection,
    kind: Kind,
    path: String,
    /// The one that is listed; all, if there is none.
    namespace: Option<String>,
    args: &'a GetArgs,
    output: &'a Output,
}

impl List<'_> {
    async fn print(&self, names: &[String]) -> Result<(), CliError> {
        match (names, self.args.watch) {
            ([], false) => self.all().await,
            ([], true) => self.watch(&self.args.choice.query()).await,
            ([name], true) => self.watch(&format!("fieldSelector=metadata.name%3D{}", quoted(name))).await,
            ([_, _, ..], true) => Err(CliError::failed("watch one name or all, not several")),
            (names, false) => self.some(names).await,
        }
    }

    fn is_table(&self) -> bool {
        self.output.is_table()
    }

    async fn ask(&self, path: String) -> Result<Value, CliError> {
        let accept = if self.is_table() { TABLE } else { "" };
        self.connection.value(Method::GET, Ask { accept, ..Ask::path(path) }).await
    }

    fn show(&self, answer: &Value, with_header: bool) -> Result<(), CliError> {
        match (self.is_table(), self.args.show_managed_fields) {
            (false, false) => return print::print_document(answer, self.output),
            (false, true) => return print::print_whole(answer, self.output),
            (true, _) => {}
        }
        let with_namespace = self.args.choice.all_namespaces && self.kind.is_namespaced;
        let with_header = with_header && !self.args.no_headers;
        let columns = print::Columns {
            wide: *self.output == Output::Wide,
            header: with_header,
            namespace: with_namespace,
            labels: self.args.show_labels,
        };
        print::print_table(answer, columns);
        Ok(())
    }

    async fn all(&self) -> Result<(), CliError> {
        let whole = if self.args.sort_by.is_some() { "&includeObject=Object" } else { "" };
        let mut answer = self.ask(format!("{}?{}{whole}", self.path, self.args.choice.query())).await?;
        if let Some(path) = &self.args.sort_by {
            sort(&mut answer, path)?;
        }
        let left_out = living::first(&mut answer, &self.kind.plural, self.wanted());
        if self.is_table() && answer["rows"].as_array().is_none_or(Vec::is_empty) {
            let place = match &self.namespace {
                Some(namespace) if self.kind.is_namespaced => format!(" in namespace {namespace:?}"),
                Some(_) | None => String::new(),
            };
            print::talk(&format!("No {} found{place}.", self.kind.plural));
            return Ok(());
        }
        self.show(&answer, true)?;
        left_out.iter().for_each(|told| print::talk(told));
        Ok(())
    }

    /// Who selects by how far something is wants just that.
    fn wanted(&self) -> Wanted {
        let fields = self.args.choice.field_selector.as_deref().unwrap_or_default();
        let selects = fields.contains("status.phase") || fields.contains("spec.desired");
        Wanted::of(self.args.all || selects)
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
            match (event["type"].as_str(), event["object"]["rows"][0]["cells"][0].as_str()) {
                (Some("BOOKMARK"), _) => {}
                // Of what is gone the server knows no more than the name.
                (Some("DELETED"), Some(name)) => print::out(&format!("{name}   deleted")),
                (Some(_) | None, _) => self.show(&event["object"], false)?,
            }
        }
        Ok(())
    }
}

/// Puts the rows of a table, or the items of a list, in the order of a field; numbers by value.
fn sort(answer: &mut Value, path: &str) -> Result<(), CliError> {
    let (list, document) = if answer["rows"].is_array() { ("rows", "/object") } else { ("items", "") };
    let Some(items) = answer[list].as_array_mut() else { return Ok(()) };
    let mut keyed = Vec::new();
    for item in std::mem::take(items) {
        let text = print::render_path(path, item.pointer(document).unwrap_or(&item))?;
        let number = text.parse::<f64>().ok();
        keyed.push((number, text, item));
    }
    keyed.sort_by(|a, b| {
        let by_number = a.0.zip(b.0).map(|(a, b)| a.total_cmp(&b));
        by_number.unwrap_or_else(|| natural::compare(&a.1, &b.1))
    });
    items.extend(keyed.into_iter().map(|(_, _, item)| item));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_and_items_are_sorted_by_a_field() {
        let document = |name: &str, count: u32| json!({"metadata": {"name": name}, "n": count});
        let mut list = json!({"items": [document("b", 10), document("a", 9)]});
        sort(&mut list, ".metadata.name").unwrap();
        assert_eq!(list["items"][0]["metadata"]["name"], "a");
        sort(&mut list, "{.n}").unwrap();
        assert_eq!(list["items"][1]["n"], 10);
        let mut table = json!({"rows": [{"object": document("b", 1)}, {"object": document("a", 2)}]});
        sort(&mut table, ".metadata.name").unwrap();
        assert_eq!(table["rows"][0]["object"]["n"], 2);
        let mut versions = json!({"items": [document("web-v10", 1), document("web-v2", 1)]});
        sort(&mut versions, ".metadata.name").unwrap();
        assert_eq!(versions["items"][0]["metadata"]["name"], "web-v2");
    }
}
