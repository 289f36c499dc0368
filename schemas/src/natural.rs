//! The natural order of names: numbers inside them count by their value, so `v2` comes before `v10`.

use std::cmp::Ordering;

/// Compares two names. Only equal texts are equal, so that it may order a set: where numbers are the same the texts
/// decide.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while let (Some(first), Some(second)) = (left.chars().next(), right.chars().next()) {
        let (step, by, also) = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, its) = (digits(left), digits(right));
            (by_value(number, its), number.len(), its.len())
        } else {
            (first.cmp(&second), first.len_utf8(), second.len_utf8())
        };
        if step != Ordering::Equal {
            return step;
        }
        (left, right) = (&left[by..], &right[also..]);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The digits that a text begins with.
fn digits(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

/// Compares two rows of digits of any length by the numbers that they are.
fn by_value(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_by_their_value() {
        let sorted = [
            "",
            "web",
            "web-v0",
            "web-v2",
            "web-v10",
            "web-v99999999999999999999",
            "web-v100000000000000000000",
            "web.api.2-v10.0",
            "web.api.10-v2.0",
            "wec",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(names, sorted);
        assert_eq!(compare("v01", "v1"), Ordering::Less, "not the same text");
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[ab0-2ä.-]{0,6}", b in "[ab0-2ä.-]{0,6}", c in "[ab0-2ä.-]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
