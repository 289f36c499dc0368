//! Letters that nobody sees: two names that differ by them look the same, and some turn the text around them.

/// Ranges of the letters that Unicode calls format characters (`Cf`) or says to show as nothing
/// (`Default_Ignorable_Code_Point`), and the two separators of lines and paragraphs.
const RANGES: &[(u32, u32)] = &[
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1_10bd, 0x1_10bd),
    (0x1_10cd, 0x1_10cd),
    (0x1_3430, 0x1_343f),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_0fff),
];

/// Whether a letter is a control character, or one that cannot be seen or turns the text around it. Plain white space
/// is asked for apart.
pub fn is_invisible(letter: char) -> bool {
    let code = u32::from(letter);
    letter.is_control() || RANGES.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::is_invisible;

    #[test]
    fn what_cannot_be_seen_is_found() {
        for letter in [
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fe0f}',
            '\u{3164}',
            '\u{e0041}',
        ] {
            assert!(is_invisible(letter), "{letter:?}");
        }
        for letter in "azAZ09-_.äß漢字שלוםλ🦀".chars() {
            assert!(!is_invisible(letter), "{letter:?}");
        }
    }
}
