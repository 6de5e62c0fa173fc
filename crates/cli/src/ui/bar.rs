//! A bar of the notebook's cells.

/// Cells done, of all, in so many signs.
pub(crate) fn bar(done: u32, all: u32, signs: usize) -> String {
    let signs = u32::try_from(signs).unwrap_or(u32::MAX);
    let full = done.saturating_mul(signs).checked_div(all).unwrap_or_default().min(signs);
    let part = |sign: &str, count: u32| sign.repeat(usize::try_from(count).unwrap_or_default());
    part("█", full) + &part("░", signs - full)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_never_too_long() {
        assert_eq!(bar(0, 4, 24).chars().filter(|sign| *sign == '█').count(), 0);
        assert_eq!(bar(2, 4, 24).chars().filter(|sign| *sign == '█').count(), 12);
        for (done, all, signs) in [(5, 4, 24), (4, 4, 8), (0, 0, 10)] {
            assert_eq!(bar(done, all, signs).chars().count(), signs);
        }
    }
}
