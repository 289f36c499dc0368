//! Functions that read files, where the caller offers them, and functions that are refused with a reason.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hcl_edit::expr::FuncCall;

use crate::text::hcl::evaluate::{Evaluated, Evaluator, Scope};
use crate::text::hcl::value::Value;
use crate::text::options::Files;
use crate::text::source::Span;

/// What a function makes of a path in a text of that name, or why it cannot.
type Read = fn(&dyn Files, &str, &str) -> Result<Value, String>;

/// The functions of this file.
pub(super) const NAMES: [&str; 3] = ["file", "filebase64", "fileexists"];

/// Calls a function that reads a file; nothing if it is none.
pub(super) fn call(
    evaluator: &Evaluator<'_>,
    call: &FuncCall,
    span: &Span,
    scope: &Scope<'_>,
) -> Option<Evaluated> {
    let read: Read = match call.name.name.as_str() {
        "file" => |files, text, path| {
            let bytes = files.read(text, path)?;
            String::from_utf8(bytes)
                .map(Value::Text)
                .map_err(|_| format!("`{path}` is not UTF-8 text; `filebase64` reads any bytes"))
        },
        "filebase64" => {
            |files, text, path| files.read(text, path).map(|bytes| Value::Text(STANDARD.encode(bytes)))
        }
        "fileexists" => |files, text, path| Ok(Value::Bool(files.exists(text, path))),
        _ => return None,
    };
    Some(of_path(evaluator, call, span, scope, read))
}

fn of_path(
    evaluator: &Evaluator<'_>,
    call: &FuncCall,
    span: &Span,
    scope: &Scope<'_>,
    read: Read,
) -> Evaluated {
    let name = call.name.name.as_str();
    let Some(files) = evaluator.options.files.as_deref() else {
        let message = format!("`{name}` is not available: {ELSEWHERE}");
        return Err(evaluator.source.error(span, message));
    };
    let Some(argument) = super::call::only(call, 1).map(|arguments| arguments[0]) else {
        return Err(super::call::miscounted(evaluator, span, name, ("1", call.args.len())));
    };
    let path = evaluator.value(argument, scope)?;
    let Some(path) = path.to_text() else {
        let message = format!("{name}: a string is needed here, not {}", path.kind());
        return Err(evaluator.error(argument, message));
    };
    read(files, evaluator.source.name(), &path)
        .map_err(|message| evaluator.error(argument, format!("{name}: {message}")))
}

const ELSEWHERE: &str =
    "a job is evaluated where your files are not; put the text into the job, a variable or an artifact";

/// Why a function of Nomad's library is not offered; nothing for names that are no functions at all.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    match name {
        "fileset" | "abspath" | "pathexpand" => Some("name each file by its path"),
        "rsadecrypt" => Some("keep secrets in variables and read them with a template"),
        "templatefile" | "templatestring" => Some("write the template into the job as a heredoc"),
        "timestamp" | "uuidv4" | "bcrypt" => {
            Some("a job that changes every time it is read can never be unchanged")
        }
        "env" => Some("write ${env[\"NAME\"]}, which is resolved where the task runs"),
        _ => None,
    }
}
