//! How many entries the maps and blocks of a text have, counted before it is parsed: the parser compares each key of a
//! map with all before it.
//!
//! This is no second parser. It knows just enough of strings, templates and comments to tell which bracket an `=`
//! belongs to, and counts rather too many than too few.

use crate::limits::ENTRIES;

/// Where the first map or block with too many entries is at its limit.
pub(super) fn overfull(text: &str) -> Option<usize> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, open: vec![Level::Code { entries: 0 }] };
    while scan.at < scan.bytes.len() {
        if scan.step() {
            return Some(scan.at);
        }
    }
    None
}

/// What stands around the place that is looked at.
enum Level<'t> {
    /// Between two brackets, or in a template's `${ }`.
    Code { entries: usize },
    /// Between double quotes.
    Quoted,
    /// In a heredoc that this word ends.
    Heredoc(&'t [u8]),
}

struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
    open: Vec<Level<'t>>,
}

impl Scan<'_> {
    /// Goes on by a token; whether a level is overfull.
    fn step(&mut self) -> bool {
        let byte = self.bytes[self.at];
        let next = self.bytes.get(self.at + 1).copied().unwrap_or_default();
        match self.open.last_mut() {
            Some(Level::Code { entries }) => match (byte, next) {
                (b'#', _) | (b'/', b'/') => return self.skip_to(b"\n"),
                (b'/', b'*') => return self.skip_to(b"*/"),
                (b'"', _) => self.open.push(Level::Quoted),
                (b'<', b'<') => return self.heredoc(),
                (b'{' | b'[' | b'(', _) => self.open.push(Level::Code { entries: 0 }),
                (b'}' | b']' | b')', _) => self.close(),
                (b'=' | b':', _) => {
                    *entries += 1;
                    if *entries > ENTRIES {
                        return true;
                    }
                }
                _ => {}
            },
            Some(Level::Quoted) => match (byte, next) {
                (b'\\', _) => self.at += 1,
                (b'"' | b'\n', _) => self.close(),
                (b'$' | b'%', b'{') => self.template(),
                _ => {}
            },
            Some(Level::Heredoc(word)) => match (byte, next) {
                (b'\n', _) => {
                    let line = &self.bytes[self.at + 1..];
                    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
                    if line[..end].trim_ascii() == *word {
                        self.close();
                    }
                }
                (b'$' | b'%', b'{') => self.template(),
                _ => {}
            },
            None => {}
        }
        self.at += 1;
        false
    }

    /// The outermost level is never left.
    fn close(&mut self) {
        if self.open.len() > 1 {
            self.open.pop();
        }
    }

    /// `$${` is two letters and a brace.
    fn template(&mut self) {
        let is_escaped = self.at > 0 && self.bytes[self.at - 1] == self.bytes[self.at];
        self.at += 1;
        if !is_escaped {
            self.open.push(Level::Code { entries: 0 });
        }
    }

    fn heredoc(&mut self) -> bool {
        let rest = &self.bytes[self.at + 2..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let word = rest[..end].trim_ascii();
        let word = word.strip_prefix(b"-").unwrap_or(word).trim_ascii();
        self.at += 2 + end;
        if !word.is_empty() {
            self.open.push(Level::Heredoc(word));
        }
        false
    }

    fn skip_to(&mut self, mark: &[u8]) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let found = rest.windows(mark.len()).position(|window| window == mark);
        self.at = found.map_or(self.bytes.len(), |length| self.at + 1 + length + mark.len() - 1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: usize) -> String {
        format!("k{n} = 1\n")
    }

    fn entries(count: usize) -> String {
        (0..count).map(entry).collect()
    }

    #[test]
    fn entries_are_counted_where_they_belong() {
        let (few, many) = (entries(ENTRIES), entries(ENTRIES + 1));
        let overfull_ones = [
            many.clone(),
            format!("a = {{\n{many}}}"),
            format!("a = \"${{ {{\n{many}}} }}\""),
            format!("a = <<E\n ${{ f({{\n{many}}}) }}\nE\n"),
            format!("# {{ \"\na {{\n{many}}}"),
            format!("a = \"\\\"\" /* \" */\n{many}"),
        ];
        for text in &overfull_ones {
            assert!(overfull(text).is_some(), "{text:.60}");
        }
        let sound = [
            few.clone(),
            format!("a = {{\n{few}}}\nb {{\n{few}}}"),
            format!("a = \"{}\"", many.replace('\n', "\\n")),
            format!("a = <<E\n{many}\nE\nb = 1"),
            format!("/* {many} */"),
            format!("// {}\n", many.trim_end().replace('\n', "\n// ")),
            format!("a = \"$${{ {}\"", many.replace('\n', " ")),
            "\"".to_owned(),
            "<<".to_owned(),
            "/*".to_owned(),
            "}}}".to_owned(),
        ];
        for text in &sound {
            assert_eq!(overfull(text), None, "{text:.60}");
        }
    }
}
