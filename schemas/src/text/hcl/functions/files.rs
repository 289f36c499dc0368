//! Functions that are known and refused, each with its reason.

/// Why a function of Nomad's library is not offered; nothing for names that are no functions at all.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    match name {
        "file" | "filebase64" | "fileexists" | "fileset" | "abspath" | "basename" | "dirname"
        | "pathexpand" => Some(
            "a job is evaluated where your files are not; put the text into the job, a variable or an artifact",
        ),
        "rsadecrypt" => Some("keep secrets in variables and read them with a template"),
        "templatefile" | "templatestring" => Some("write the template into the job as a heredoc"),
        "timestamp" | "uuidv4" | "bcrypt" => {
            Some("a job that changes every time it is read can never be unchanged")
        }
        "env" => Some("write ${env[\"NAME\"]}, which is resolved where the task runs"),
        _ => None,
    }
}
