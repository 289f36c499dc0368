//! Which resource a word means: plural, singular, short name or kind, as the server tells.

use serde_json::Value;

use super::connection::{CliError, Connection, ROOT};

/// One kind of resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Plural, as in paths.
    pub plural: String,
    /// Singular, as in names printed.
    pub singular: String,
    /// Whether it lives in a namespace.
    pub is_namespaced: bool,
}

impl Kind {
    /// The path of all of them, in one namespace or in all.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{ROOT}/namespaces/{namespace}/{}", self.plural),
            None => format!("{ROOT}/{}", self.plural),
        }
    }
}

/// All kinds the server knows.
pub(super) async fn kinds(connection: &Connection) -> Result<Vec<(Kind, Vec<String>)>, CliError> {
    let list = connection.get(ROOT).await?;
    let resources = list["resources"].as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(resources
        .iter()
        .filter(|resource| !word(&resource["name"]).contains('/'))
        .map(|resource| {
            let kind = Kind {
                plural: word(&resource["name"]),
                singular: word(&resource["singularName"]),
                is_namespaced: resource["namespaced"].as_bool().unwrap_or_default(),
            };
            let short = resource["shortNames"].as_array().cloned().unwrap_or_default();
            let mut names: Vec<String> = short.iter().map(word).collect();
            names.extend([
                kind.plural.clone(),
                kind.singular.clone(),
                word(&resource["kind"]).to_lowercase(),
            ]);
            (kind, names)
        })
        .collect())
}

/// The kind that a word means.
pub(super) async fn kind(connection: &Connection, name: &str) -> Result<Kind, CliError> {
    let wanted = name.to_lowercase();
    let wanted = wanted.split('.').next().unwrap_or_default();
    let known = kinds(connection).await?;
    if let Some((kind, _)) = known.iter().find(|(_, names)| names.iter().any(|name| name == wanted)) {
        return Ok(kind.clone());
    }
    let all: Vec<&str> = known.iter().map(|(kind, _)| kind.plural.as_str()).collect();
    Err(CliError::failed(format!("there is no kind {name:?}; the kinds are {}", all.join(", "))))
}

/// `KIND/NAME`, or a kind and names apart, as kubectl takes them.
pub(super) fn split(words: &[String]) -> Result<(String, Vec<String>), CliError> {
    let [first, rest @ ..] = words else {
        return Err(CliError::failed("name a kind, as in `encamp get jobs`"));
    };
    let Some((kind, name)) = first.split_once('/') else { return Ok((first.clone(), rest.to_vec())) };
    let mut names = vec![name.to_owned()];
    for word in rest {
        match word.split_once('/') {
            Some((other, name)) if other == kind => names.push(name.to_owned()),
            Some(_) | None => {
                return Err(CliError::failed("write either KIND NAME… or KIND/NAME…, of one kind"));
            }
        }
    }
    Ok((kind.to_owned(), names))
}
