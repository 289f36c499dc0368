//! Command lines as Nomad's users type them, made into ours.
//!
//! Nomad's flags have one dash (`-check-index 7`, `-var=x=y`). A one-dash word that equals a known long
//! flag gets its second dash; clusters of short flags (`-it`) stay what they are. Any other one-dash word gets it
//! too, so that the complaint about it names the whole word.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

/// Gives every known one-dash word its second dash. What follows `--` is left alone.
pub(super) fn with_two_dashes(words: Vec<OsString>, command: &clap::Command) -> Vec<OsString> {
    let (known, short) = (long_flags(command), short_flags(command, meant(command, &words)));
    let mut literal = false;
    words
        .into_iter()
        .map(|word| {
            literal |= word == "--";
            let Some(text) = word.to_str().filter(|_| !literal) else { return word };
            let name = text.strip_prefix('-').and_then(|rest| rest.split('=').next()).unwrap_or_default();
            let begins_with_short = name.starts_with(|first: char| short.contains(&first));
            let is_word = name.len() > 1 && name.starts_with(|first: char| first.is_ascii_lowercase());
            let is_known = known.contains(name) || is_foreign(name);
            if is_word && (is_known || !begins_with_short) { format!("-{text}").into() } else { word }
        })
        .collect()
}

/// Flags of Nomad and of kubectl that there are not, and why.
const FOREIGN: &[(&str, &str)] = &[
    ("--token", "authentication is not built: whoever reaches the server may do everything; leave it out"),
    ("--region", "a server knows its own region only: name a server there with -address"),
    ("--ca-cert", NO_TLS),
    ("--ca-path", NO_TLS),
    ("--client-cert", NO_TLS),
    ("--client-key", NO_TLS),
    ("--tls-server-name", NO_TLS),
    ("--tls-skip-verify", NO_TLS),
    ("--no-color", "nothing is coloured: leave it out"),
    ("--force-color", "nothing is coloured: leave it out"),
    ("--kubeconfig", NO_KUBECONFIG),
    ("--context", NO_KUBECONFIG),
    ("--server", "the server is named with --address"),
];
const NO_TLS: &str = "TLS is not built for the API: use a proxy that ends it, and name that with -address";
const NO_KUBECONFIG: &str = "no kubeconfig is read: name the server with --address";

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|(flag, _)| flag.trim_start_matches('-') == name)
}

/// The complaint about a flag that another tool has, with what to do instead.
pub(super) fn explained(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let name = flag.split('=').next().unwrap_or_default();
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        let tip = ContextValue::StyledStrs(vec![(*instead).to_owned().into()]);
        error.insert(ContextKind::Suggested, tip);
        error.remove(ContextKind::SuggestedArg);
    }
    error
}

/// The command that a line means.
fn meant<'c>(command: &'c clap::Command, words: &[OsString]) -> &'c clap::Command {
    let words = words.iter().filter_map(|word| word.to_str());
    words.fold(command, |here, word| here.find_subcommand(word).unwrap_or(here))
}

/// The short flags of a command and those that every command takes.
fn short_flags(all: &clap::Command, command: &clap::Command) -> BTreeSet<char> {
    let arguments = all.get_arguments().chain(command.get_arguments());
    arguments.filter_map(clap::Arg::get_short).chain(['h', 'V', 'i', 't']).collect()
}

fn long_flags(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().flat_map(|argument| {
        argument
            .get_long_and_visible_aliases()
            .unwrap_or_default()
            .into_iter()
            .chain(argument.get_all_aliases().unwrap_or_default())
    });
    let mut flags: BTreeSet<String> = own.map(str::to_owned).collect();
    flags.extend(["help".to_owned(), "version".to_owned()]);
    command.get_subcommands().for_each(|below| flags.extend(long_flags(below)));
    flags
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::tree::CommandLine;

    #[test]
    fn one_dash_words_get_their_second_dash() {
        let given = ["encamp", "run", "-check-index", "7", "-var=a=-detach", "-it", "-f", "--", "-detach"];
        let words = with_two_dashes(given.iter().map(OsString::from).collect(), &CommandLine::command());
        let wanted = ["encamp", "run", "--check-index", "7", "--var=a=-detach", "-it", "-f", "--", "-detach"];
        assert_eq!(words, wanted);
    }

    #[test]
    fn a_flag_of_another_tool_is_explained() {
        let said = |line: &str| {
            let words =
                with_two_dashes(line.split(' ').map(OsString::from).collect(), &CommandLine::command());
            explained(CommandLine::command().try_get_matches_from(words).unwrap_err()).to_string()
        };
        assert!(said("encamp status -token x").contains("tip: authentication is not built"));
        assert!(said("encamp job run -region=eu a.hcl").contains("tip: a server knows its own region only"));
        assert!(said("encamp get jobs --context x").contains("tip: no kubeconfig is read"));
        assert!(!said("encamp get jobs --frob").contains("tip: no"));
    }

    #[test]
    fn unknown_one_dash_words_are_named_whole() {
        let given = ["encamp", "plan", "-policy-override", "-ojson", "-1", "x"];
        let words = with_two_dashes(given.iter().map(OsString::from).collect(), &CommandLine::command());
        assert_eq!(words, ["encamp", "plan", "--policy-override", "-ojson", "-1", "x"]);
    }
}
