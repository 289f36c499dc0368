//! "Did you mean": the known word that is nearest to an unknown one.

/// The candidate that `word` was most likely meant to be, if any is near enough.
///
/// Case, `_` and `-` do not count, so that `killTimeout` finds `kill_timeout`. Otherwise at most one slip in three
/// letters is forgiven: a letter too many, too few, wrong, or two swapped.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let folded = fold(word);
    let allowed = (folded.len() / 3).max(1);
    let distances = candidates.iter().map(|candidate| (distance(&folded, &fold(candidate)), *candidate));
    distances
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Longer words are compared by their beginning: nobody mistypes a page.
const LONGEST: usize = 64;

fn fold(word: &str) -> Vec<char> {
    let letters = word.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.flat_map(char::to_lowercase).take(LONGEST).collect()
}

/// The number of slips between two words (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut slips = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if is_swap {
                slips = slips.min(before[j - 2] + 1);
            }
            row.push(slips);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_not_strangers() {
        let known = ["count", "constraints", "kill_timeout", "tasks", "meta", "env"];
        let words = ["cuont", "Count", "killTimeout", "constraint", "task", "evn", "zebra", "", "m"];
        let table = words.map(|word| format!("{word} -> {}", nearest(word, &known).unwrap_or("nothing")));
        insta::assert_snapshot!(table.join("\n"), @"
        cuont -> count
        Count -> count
        killTimeout -> kill_timeout
        constraint -> constraints
        task -> tasks
        evn -> env
        zebra -> nothing
         -> nothing
        m -> nothing
        ");
    }
}
