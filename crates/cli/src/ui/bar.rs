//! A bar of the notebook's cells.

/// Signs of a bar.
const SIGNS: u32 = 24;

/// Cells done, of all.
pub(crate) fn bar(done: u32, all: u32) -> String {
    let full = done.saturating_mul(SIGNS).checked_div(all).unwrap_or_default().min(SIGNS);
    let part = |sign: &str, count: u32| sign.repeat(usize::try_from(count).unwrap_or_default());
    part("█", full) + &part("░", SIGNS - full)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_never_too_long() {
        assert_eq!(bar(0, 4).chars().filter(|sign| *sign == '█').count(), 0);
        assert_eq!(bar(2, 4).chars().filter(|sign| *sign == '█').count(), 12);
        for (done, all) in [(5, 4), (4, 4), (0, 0)] {
            assert_eq!(bar(done, all).chars().count(), 24);
        }
    }
}
