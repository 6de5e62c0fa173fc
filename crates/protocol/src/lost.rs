//! The words that every message of a lost run shares: how far its notebook was, and what to do. Decides nothing.

use reveille_domain::limits::MAX_RERUNS;

/// How far a notebook was, as the end of a clause.
pub(crate) fn place(cell: u32, cells: u32) -> String {
    match cell {
        0 => ", before its first cell".to_owned(),
        _ => format!(", at cell {cell} of {cells}"),
    }
}

/// What a notebook may have done, and how to run it again; `when` is what must be so, with its comma, or nothing.
pub(crate) fn advice(when: &str) -> String {
    let redrive = if when.is_empty() { "Redrive" } else { "redrive" };
    format!(
        "The notebook may have changed data before it ended, and nothing of that is undone. {when}{redrive} the execution when it is safe to run the notebook again; \"onRunnerLost\": \"rerun\" does so automatically, up to {MAX_RERUNS} times."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notebook_was_at_a_cell_or_before_the_first() {
        assert_eq!(place(0, 9), ", before its first cell");
        assert_eq!(place(3, 9), ", at cell 3 of 9");
    }

    #[test]
    fn the_advice_is_a_sentence_with_its_condition_or_without() {
        assert!(advice("").contains("undone. Redrive the execution when it is safe"), "{}", advice(""));
        assert!(advice("If so, ").contains("undone. If so, redrive the execution when"), "{}", advice("If so, "));
        assert!(advice("").ends_with("up to 2 times."), "{}", advice(""));
    }
}
