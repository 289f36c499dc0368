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
    let words: Vec<&str> = known.iter().flat_map(|(_, names)| names.iter().map(String::as_str)).collect();
    let near = meant(wanted, &words);
    Err(CliError::failed(format!("there is no kind {name:?}{near}; the kinds are {}", all.join(", "))))
}

/// What to add to a refusal of `word` if one of the known words was probably meant.
pub(super) fn meant(word: &str, known: &[&str]) -> String {
    let near = schemas::validate::nearest(word, known);
    near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default()
}

/// The plurals that a word of `get` means: kinds joined by commas, or `all`.
pub(super) async fn several(connection: &Connection, words: &str) -> Result<Vec<String>, CliError> {
    let mut found = Vec::new();
    for word in words.split(',') {
        if word != "all" {
            found.push(word.to_owned());
            continue;
        }
        let list = connection.get(ROOT).await?;
        let in_all = |resource: &&Value| {
            resource["categories"].as_array().is_some_and(|all| all.iter().any(|word| word == "all"))
        };
        let resources = list["resources"].as_array().into_iter().flatten().filter(in_all);
        found.extend(resources.filter_map(|resource| resource["name"].as_str().map(str::to_owned)));
    }
    Ok(found)
}

/// `KIND/NAME`s, or a kind and names apart, as kubectl takes them: each kind with its names.
pub(super) fn split(words: &[String]) -> Result<Vec<(String, Vec<String>)>, CliError> {
    let [first, rest @ ..] = words else {
        return Err(CliError::failed("name a kind, as in `encamp get jobs`"));
    };
    if !first.contains('/') {
        if let Some(word) = rest.iter().find(|word| word.contains('/')) {
            let message = format!("{word:?} names a kind again: write either KIND NAME… or KIND/NAME…");
            return Err(CliError::failed(message));
        }
        return Ok(vec![(first.clone(), rest.to_vec())]);
    }
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for word in words {
        let Some((kind, name)) = word.split_once('/') else {
            return Err(CliError::failed(format!("{word:?} lacks its kind: write KIND/{word}")));
        };
        match found.last_mut() {
            Some((last, names)) if last == kind => names.push(name.to_owned()),
            Some(_) | None => found.push((kind.to_owned(), vec![name.to_owned()])),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn kinds_and_names_are_taken_apart() {
        let split = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            super::split(&words).map_err(|error| error.to_string())
        };
        let pair = |kind: &str, names: &[&str]| {
            (kind.to_owned(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(split("jobs"), Ok(vec![pair("jobs", &[])]));
        assert_eq!(split("job web db"), Ok(vec![pair("job", &["web", "db"])]));
        assert_eq!(
            split("job/web job/db node/n"),
            Ok(vec![pair("job", &["web", "db"]), pair("node", &["n"])])
        );
        assert!(split("job/web db").unwrap_err().contains("KIND/db"));
        assert!(split("job web node/n").unwrap_err().contains("names a kind again"));
    }
}
