//! A table that fits its terminal: columns that matter less go first, then texts are cut.

use unicode_width::UnicodeWidthStr;

use super::{
    terminal::{Terminal, Tone},
    text::cut,
};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Columns with a higher number go first where the table is too wide; 0 stays.
    pub(crate) rank: u8,
    /// The fewest characters that are of use; what does not fit is cut to no less.
    pub(crate) least: usize,
}

/// A cell: its text and its tone.
pub(crate) type Cell = (String, Tone);

/// Between two columns.
const GAP: usize = 2;

/// Writes a table.
pub(crate) fn show(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) {
    for line in lines(terminal, columns, rows) {
        terminal.line(&line);
    }
}

/// The lines of a table, its titles first.
pub(crate) fn lines(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) -> Vec<String> {
    let widest = |index: usize| rows.iter().map(|row| row[index].0.width()).max().unwrap_or_default();
    let mut shown: Vec<(usize, usize)> =
        columns.iter().enumerate().map(|(index, column)| (index, widest(index).max(column.title.len()))).collect();
    let room = terminal.width();
    let least = |shown: &[(usize, usize)]| -> usize {
        shown.iter().map(|(index, width)| (*width).min(columns[*index].least) + GAP).sum::<usize>().saturating_sub(GAP)
    };
    while least(&shown) > room {
        let Some(first_to_go) = shown.iter().map(|(index, _)| columns[*index].rank).max().filter(|rank| *rank > 0)
        else {
            break;
        };
        shown.retain(|(index, _)| columns[*index].rank != first_to_go);
    }
    shrink(&mut shown, columns, room);
    let line = |cells: &dyn Fn(usize) -> (String, Tone)| {
        let mut line = String::new();
        for (place, (index, width)) in shown.iter().enumerate() {
            let (text, tone) = cells(*index);
            let text = cut(&text, *width);
            let at_the_end = place + 1 == shown.len();
            let gap = if at_the_end { 0 } else { (width + GAP).saturating_sub(text.width()) };
            line.push_str(&terminal.paint(tone, &text));
            line.push_str(&" ".repeat(gap));
        }
        line
    };
    let titles = line(&|index| (columns[index].title.to_owned(), Tone::Quiet));
    let rows = rows.iter().map(|row| line(&|index| row[index].clone()));
    std::iter::once(titles).chain(rows).collect()
}

/// Takes from the widest until all fit.
fn shrink(shown: &mut [(usize, usize)], columns: &[Column], room: usize) {
    loop {
        let all: usize = shown.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP);
        if all <= room {
            return;
        }
        let may_shrink = |(index, width): &&mut (usize, usize)| *width > columns[*index].least;
        let Some(widest) = shown.iter_mut().filter(may_shrink).max_by_key(|(_, width)| *width) else { return };
        widest.1 -= 1;
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::{Column, lines};
    use crate::ui::terminal::{Terminal, Tone};

    const COLUMNS: [Column; 3] = [
        Column { title: "STATUS", rank: 0, least: 9 },
        Column { title: "NOTEBOOK", rank: 0, least: 12 },
        Column { title: "TRIGGER", rank: 1, least: 8 },
    ];

    fn table(width: usize) -> Vec<String> {
        let cell = |text: &str| (text.to_owned(), Tone::Plain);
        let rows = [vec![cell("SUCCEEDED"), cell("reports/monthly/2026/summary.ipynb"), cell("incoming/orders.csv")]];
        lines(&Terminal::plain(width), &COLUMNS, &rows)
    }

    #[test]
    fn a_table_fits_its_terminal() {
        for width in [25, 30, 40, 60, 80, 200] {
            assert!(table(width).iter().all(|line| line.width() <= width), "{width}: {:#?}", table(width));
        }
        assert_eq!(table(200)[0], "STATUS     NOTEBOOK                            TRIGGER");
        assert!(!table(30)[0].contains("TRIGGER"), "what matters less goes first");
        assert!(table(30)[1].contains('…'));
    }
}
