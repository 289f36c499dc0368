//! The canonical form to a type, with every error at the line that causes it.
//!
//! A decoder stops at its first error. So the field that it names is taken out and decoding starts again,
//! until nothing is wrong or nothing is left to take out.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::diagnostic::Diagnostic;
use super::gaps::Gaps;
use super::node::{Places, join};
use super::source::Source;

const MAX_ERRORS: usize = crate::limits::COMPLAINTS;

/// What could be decoded of a value.
pub(crate) struct Decoded<T> {
    /// The value without what is wrong in it; nothing if too much is.
    pub(crate) value: Option<T>,
    pub(crate) errors: Vec<Diagnostic>,
    /// What was taken out.
    pub(crate) gaps: Gaps,
}

/// Decodes a value whose places are known; `base` is the pointer of the value within the document.
pub(crate) fn decode<T: DeserializeOwned>(
    source: &Source,
    value: &Value,
    places: &Places,
    base: &str,
) -> Decoded<T> {
    let mut rest = value.clone();
    let (mut errors, mut gaps) = (Vec::new(), Gaps::default());
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&rest) {
            Ok(decoded) => return Decoded { value: Some(decoded), errors, gaps },
            Err(error) => error,
        };
        let message = error.inner().to_string();
        let (pointer, about) = pointer_of(error.path(), &message);
        let is_echo = !errors.is_empty() && message.starts_with("missing field");
        if !is_echo {
            errors.push(explain(source, places, &format!("{base}{pointer}"), (&message, about)));
        }
        let taken = take_out(&mut rest, &pointer);
        let Some(taken) = taken.filter(|_| errors.len() < MAX_ERRORS) else {
            return Decoded { value: None, errors, gaps };
        };
        gaps.value(format!("{base}{taken}"));
    }
}

/// What of a field is wrong.
#[derive(Clone, Copy)]
enum About {
    /// It should not be there.
    Key,
    Value,
}

/// The pointer of the field that an error is about.
fn pointer_of(path: &serde_path_to_error::Path, message: &str) -> (String, About) {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer = format!("{pointer}/{index}"),
            Segment::Map { key } => pointer = join(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let unknown = quoted(message.strip_prefix("unknown field ").unwrap_or_default());
    match unknown {
        Some(key) if !pointer.ends_with(&join("", key)) => (join(&pointer, key), About::Key),
        Some(_) => (pointer, About::Key),
        None => (pointer, About::Value),
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.split_once('`').map(|(word, _)| word)
}

/// Removes a field, or the nearest field of a map around an element of a list, so that no index moves. Gives the
/// pointer of what was removed; nothing if nothing was there.
pub(crate) fn take_out<'p>(value: &mut Value, pointer: &'p str) -> Option<&'p str> {
    let mut pointer = pointer;
    loop {
        let (above, last) = pointer.rsplit_once('/')?;
        match value.pointer_mut(above)? {
            Value::Object(map) => {
                let key = last.replace("~1", "/").replace("~0", "~");
                return map.remove(&key).map(|_| pointer);
            }
            Value::Array(_) => pointer = above,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        }
    }
}

fn explain(source: &Source, places: &Places, pointer: &str, (message, about): (&str, About)) -> Diagnostic {
    let place = places.find(pointer);
    let span = place.map_or(0..0, |place| match about {
        About::Key => place.key.clone(),
        About::Value => place.value.clone(),
    });
    let name = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or("the document");
    let words = words_of(message);
    let error = source.error(&span, sentence(name, message)).pointer(pointer);
    let Some((wrong, allowed)) = words else { return error };
    let error = error.allowed(allowed.iter().copied());
    error.nearest(wrong, allowed.iter().copied())
}

fn sentence(name: &str, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!("unknown key `{}`", quoted(rest).unwrap_or(name));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return format!("`{name}` cannot be `{}`", quoted(rest).unwrap_or_default());
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("the key `{}` is missing", quoted(rest).unwrap_or_default());
    }
    let split = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    match split.and_then(|rest| rest.split_once(", expected ")) {
        Some((found, expected)) => {
            format!("`{name}` must be {}, not {}", wanted(expected), found_word(found))
        }
        None => message.to_owned(),
    }
}

/// serde's ``integer `-1` `` as `-1`, `string "x"` as `"x"`.
fn found_word(found: &str) -> &str {
    let inside = found.split('`').nth(1);
    inside.or_else(|| found.strip_prefix("string ")).unwrap_or(found)
}

fn wanted(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => {
            "a whole number that is not negative and not too large".to_owned()
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number that is not too large".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        other => other.to_owned(),
    }
}

/// The wrong word and the allowed ones, where a message lists them.
fn words_of(message: &str) -> Option<(&str, Vec<&str>)> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let (wrong, rest) = message.split_once(", expected ")?;
    let wrong = wrong.split('`').nth(1)?;
    Some((wrong, rest.split('`').skip(1).step_by(2).collect()))
}
