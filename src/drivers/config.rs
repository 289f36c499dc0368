//! A task's own `config`, read strictly: an unknown key is an error that names the nearest known one.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::contract::StartError;

/// Reads `config` as `T`, whose keys are `known`. Blocks of job files arrive as lists with one map and are unfolded
/// for the keys in `blocks`.
pub fn read<T: DeserializeOwned>(
    driver: &str,
    config: &Map<String, Value>,
    known: &[&str],
    blocks: &[&str],
) -> Result<T, StartError> {
    let mut plain = config.clone();
    for (key, value) in &mut plain {
        if !known.contains(&key.as_str()) {
            return Err(StartError::Fatal(unknown_key(driver, key, known)));
        }
        if let (true, Value::Array(list)) = (blocks.contains(&key.as_str()), &mut *value)
            && list.len() == 1
        {
            *value = list.remove(0);
        }
    }
    let read = serde_json::from_value(Value::Object(plain));
    read.map_err(|error| StartError::Fatal(format!("{driver} config: {error}")))
}

fn unknown_key(driver: &str, key: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (distance(key, name), name)).min();
    match nearest {
        Some((steps, name)) if steps <= 2.max(key.len() / 3) => {
            format!("{driver} config: unknown key `{key}`, did you mean `{name}`?")
        }
        Some(_) | None => format!("{driver} config: unknown key `{key}`; known are {}", known.join(", ")),
    }
}

/// Edit distance: how many letters to change, add or drop.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, expected) in other.bytes().enumerate() {
            let change = diagonal + usize::from(letter != expected);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// An environment in which bare program names are found.
pub fn with_path(mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    env.entry("PATH".to_owned()).or_insert_with(|| usual.to_owned());
    env
}

/// Texts that may be written as numbers or booleans: `args = [8080]`.
pub fn texts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values: Vec<Value> = serde::Deserialize::deserialize(deserializer)?;
    values
        .into_iter()
        .map(|value| text_of(value).ok_or_else(|| serde::de::Error::custom("expected texts")))
        .collect()
}

/// A number that may be written as a text, as interpolation leaves it.
pub fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value: Value = serde::Deserialize::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("expected a number, not {value}"));
    match &value {
        Value::Null => Ok(None),
        Value::Number(number) => number.as_i64().ok_or_else(wrong).map(Some),
        Value::String(text) => text.trim().parse().map_err(|_| wrong()).map(Some),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(wrong()),
    }
}

/// How readily the kernel kills a task when memory is short.
pub fn oom_score<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let Some(score) = number(deserializer)? else { return Ok(None) };
    let known = i32::try_from(score).ok().filter(|score| (-1000..=1000).contains(score));
    let wrong = || serde::de::Error::custom(format!("expected a score from -1000 to 1000, not {score}"));
    known.ok_or_else(wrong).map(Some)
}

/// A scalar as text.
pub fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Every key that the schema lets a job say is known to its driver or refused before, never both and never neither.
#[cfg(test)]
pub(super) fn assert_is_all_that_may_be_said(driver: &str, known: &[&str]) {
    let unbuilt = schemas::support::UNBUILT_KEYS.iter().filter(|(name, _)| *name == driver);
    let unbuilt: Vec<&str> = unbuilt.flat_map(|(_, keys)| *keys).copied().collect();
    let said = schemas::validate::driver_keys(driver).expect("the schema knows the driver");
    let lost: Vec<_> = said.iter().filter(|key| !known.contains(key) && !unbuilt.contains(key)).collect();
    assert!(lost.is_empty(), "accepted and then not understood: {lost:?}");
    assert!(unbuilt.iter().all(|key| !known.contains(key)), "built and still refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Sample {
        #[serde(deserialize_with = "texts")]
        args: Vec<String>,
        #[serde(deserialize_with = "number")]
        size: Option<i64>,
        #[serde(deserialize_with = "oom_score")]
        oom_score_adj: Option<i32>,
        auth: Map<String, Value>,
    }

    fn sample(json: &str) -> Result<Sample, String> {
        let config = serde_json::from_str(json).unwrap();
        read("sample", &config, &["args", "size", "oom_score_adj", "auth"], &["auth"])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        assert_eq!(
            sample(r#"{"arsg":[]}"#).unwrap_err(),
            "sample config: unknown key `arsg`, did you mean `args`?"
        );
        let far = sample(r#"{"wholly_different":1}"#).unwrap_err();
        assert_eq!(
            far,
            "sample config: unknown key `wholly_different`; known are args, size, oom_score_adj, auth"
        );
    }

    #[test]
    fn scalars_and_blocks_are_taken_as_they_come() {
        let read = sample(r#"{"args":["-p",8080,true],"size":"64","auth":[{"user":"u"}]}"#).unwrap();
        assert_eq!((read.args.join(" "), read.size, read.auth.len()), ("-p 8080 true".into(), Some(64), 1));
        assert!(sample(r#"{"size":"many"}"#).unwrap_err().contains("expected a number"));
        assert_eq!(sample(r#"{"oom_score_adj":"-500"}"#).unwrap().oom_score_adj, Some(-500));
        assert!(sample(r#"{"oom_score_adj":4711}"#).unwrap_err().contains("from -1000 to 1000, not 4711"));
    }
}
