//! Command lines as Nomad's users type them, made into ours.
//!
//! Nomad's flags have one dash (`-check-index 7`, `-var=x=y`). A one-dash word that equals a known long
//! flag gets its second dash; clusters of short flags (`-it`) stay what they are. Any other one-dash word gets it
//! too, so that the complaint about it names the whole word.

use std::collections::BTreeSet;
use std::ffi::OsString;

/// Gives every known one-dash word its second dash. What follows `--` is left alone.
pub(super) fn with_two_dashes(words: Vec<OsString>, command: &clap::Command) -> Vec<OsString> {
    let (known, short) = (long_flags(command), short_flags(command));
    let mut literal = false;
    words
        .into_iter()
        .map(|word| {
            literal |= word == "--";
            let Some(text) = word.to_str().filter(|_| !literal) else { return word };
            let name = text.strip_prefix('-').and_then(|rest| rest.split('=').next()).unwrap_or_default();
            let begins_with_short = name.starts_with(|first: char| short.contains(&first));
            let is_word = name.len() > 1 && name.starts_with(|first: char| first.is_ascii_lowercase());
            if is_word && (known.contains(name) || !begins_with_short) {
                format!("-{text}").into()
            } else {
                word
            }
        })
        .collect()
}

fn short_flags(command: &clap::Command) -> BTreeSet<char> {
    let mut flags: BTreeSet<char> = command.get_arguments().filter_map(clap::Arg::get_short).collect();
    flags.extend(['h', 'V', 'i', 't']);
    command.get_subcommands().for_each(|below| flags.extend(short_flags(below)));
    flags
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
    use crate::cli::tree::CommandLine;

    #[test]
    fn one_dash_words_get_their_second_dash() {
        let given = ["encamp", "run", "-check-index", "7", "-var=a=-detach", "-it", "-f", "--", "-detach"];
        let words = with_two_dashes(given.iter().map(OsString::from).collect(), &CommandLine::command());
        let wanted = ["encamp", "run", "--check-index", "7", "--var=a=-detach", "-it", "-f", "--", "-detach"];
        assert_eq!(words, wanted);
    }

    #[test]
    fn unknown_one_dash_words_are_named_whole() {
        let given = ["encamp", "plan", "-policy-override", "-ojson", "-1", "x"];
        let words = with_two_dashes(given.iter().map(OsString::from).collect(), &CommandLine::command());
        assert_eq!(words, ["encamp", "plan", "--policy-override", "-ojson", "-1", "x"]);
    }
}
