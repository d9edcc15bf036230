//! Suggestions for misspelt words: the nearest known word by edit distance.

/// Finds the nearest word within a budget of comparisons.
///
/// The budget bounds the time for a hostile definition with thousands of wrong names among
/// thousands of right ones. Beyond it there are no suggestions.
#[derive(Debug)]
pub(crate) struct Suggester {
    comparisons_left: usize,
}

impl Default for Suggester {
    fn default() -> Self {
        Self { comparisons_left: 20_000 }
    }
}

impl Suggester {
    /// Returns the candidate that differs from `word` in case only, or in at most a third of its
    /// letters.
    pub(crate) fn closest<'a>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let length = word.chars().count();
        let lower = word.to_lowercase();
        let near = (length / 3).min(3);
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            if self.comparisons_left == 0 {
                return None;
            }
            self.comparisons_left -= 1;
            if length > 64 || candidate.len().abs_diff(word.len()) > near {
                continue;
            }
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            if distance <= near && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// Returns the candidate that is nearest to a misspelt word, if one is near.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    Suggester::default().closest(word, candidates)
}

/// Returns the words in one line, cut after 20.
pub fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let (mut shown, mut count) = (Vec::new(), 0_usize);
    for word in words {
        if count < SHOWN {
            shown.push(word);
        }
        count += 1;
    }
    match (count, count.saturating_sub(SHOWN)) {
        (0, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let mut suggester = Suggester::default();
        let words = ["Train", "Evaluate", "Publish"];
        assert_eq!(suggester.closest("train", words.into_iter()), Some("Train"));
        assert_eq!(suggester.closest("Evalaute", words.into_iter()), Some("Evaluate"));
        assert_eq!(suggester.closest("Deploy", words.into_iter()), None);
    }

    #[test]
    fn a_spent_budget_ends_the_search() {
        let mut suggester = Suggester { comparisons_left: 1 };
        assert_eq!(suggester.closest("b", ["a", "b"].into_iter()), None);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(std::iter::empty()), "none");
        assert_eq!(list(["a", "b"].into_iter()), "a, b");
        assert!(list(std::iter::repeat_n("a", 25)).ends_with("a and 5 more"));
    }
}
