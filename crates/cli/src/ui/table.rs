//! A table that fits its terminal: columns that matter less go first, then texts are cut, or in the last column wrapped.

use reveille_domain::shown;
use unicode_width::UnicodeWidthStr;

use super::{
    terminal::{Terminal, Tone},
    text::{cut, cut_path, wrap},
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

/// Characters of a line in which a sentence is read easily.
const READABLE: usize = 60;

/// Writes a table.
pub(crate) fn show(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) {
    for line in lines(terminal, columns, rows) {
        terminal.line(&line);
    }
}

/// Writes a table whose last column is sentences: cut ones would say half of what they mean.
pub(crate) fn show_sentences(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) {
    for line in sentences(terminal, columns, rows) {
        terminal.line(&line);
    }
}

/// Writes a table whose last column says why, or what to do: beside its row where there is room for it, and else below its row.
pub(crate) fn show_with_reasons(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) {
    for line in with_reasons(terminal, columns, rows) {
        terminal.line(&line);
    }
}

/// Writes a table whose names are whole in every width: where not all columns fit, only the first ones are beside each other, and below each row
/// what `below` says of it.
pub(crate) fn show_or_below(
    terminal: &Terminal,
    columns: &[Column],
    rows: &[Vec<Cell>],
    first: usize,
    below: &[String],
) {
    for line in or_below(terminal, columns, rows, first, below) {
        terminal.line(&line);
    }
}

/// The columns, of which one has names that a person copies: what is shown of two names differs, as far as there is room.
pub(crate) fn telling_apart<const N: usize>(
    terminal: &Terminal,
    mut columns: [Column; N],
    title: &str,
    rows: &[Vec<Cell>],
) -> [Column; N] {
    let Some(place) = place_of(&columns, title) else { return columns };
    let mut names: Vec<&str> = rows.iter().map(|row| row[place].0.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let shared = |pair: &[&str]| pair[0].chars().zip(pair[1].chars()).take_while(|(one, other)| one == other).count();
    let shared = names.windows(2).map(shared).max().unwrap_or_default();
    // The character that differs, and the ellipsis.
    reserve(terminal, &mut columns, place, shared + 2);
    columns
}

/// The columns, of which one has names that other commands take, and only whole: it is not cut, as far as there is room.
pub(crate) fn whole<const N: usize>(
    terminal: &Terminal,
    mut columns: [Column; N],
    title: &str,
    rows: &[Vec<Cell>],
) -> [Column; N] {
    let Some(place) = place_of(&columns, title) else { return columns };
    let widest = rows.iter().map(|row| row[place].0.width()).max().unwrap_or_default();
    reserve(terminal, &mut columns, place, widest);
    columns
}

fn place_of(columns: &[Column], title: &str) -> Option<usize> {
    columns.iter().position(|column| column.title == title)
}

/// Keeps so many characters for a column, as far as those that never go leave room.
fn reserve(terminal: &Terminal, columns: &mut [Column], place: usize, wanted: usize) {
    let stay = columns.iter().enumerate().filter(|(index, column)| *index != place && column.rank == 0);
    let others: usize = stay.map(|(_, column)| column.least + GAP).sum();
    let column = &mut columns[place];
    column.least = column.least.max(wanted.min(terminal.width().saturating_sub(others)));
}

/// The lines of a table, its titles first.
pub(crate) fn lines(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) -> Vec<String> {
    laid_out(terminal, columns, rows, |text, width| vec![shortened(text, width)])
}

/// The same, its last column wrapped.
fn sentences(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) -> Vec<String> {
    laid_out(terminal, columns, rows, wrap)
}

/// The lines of a table whose names are whole.
fn or_below(
    terminal: &Terminal,
    columns: &[Column],
    rows: &[Vec<Cell>],
    first: usize,
    below: &[String],
) -> Vec<String> {
    let all: usize = widths(columns, &on_one_line(rows)).iter().map(|width| width + GAP).sum();
    if all.saturating_sub(GAP) <= terminal.width() {
        return lines(terminal, columns, rows);
    }
    let told = |(row, below): (&Vec<Cell>, &String)| {
        row.iter().take(first).cloned().chain([(below.clone(), Tone::Plain)]).collect()
    };
    let rows: Vec<Vec<Cell>> = rows.iter().zip(below).map(told).collect();
    with_reasons(terminal, &columns[..=first], &rows)
}

/// How wide each column is whose cells are whole.
fn widths(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<usize> {
    let widest = |index: usize| rows.iter().map(|row| row[index].0.width()).max().unwrap_or_default();
    columns.iter().enumerate().map(|(index, column)| widest(index).max(column.title.len())).collect()
}

/// Each cell on one line: a name may have a line break in it, and what hides or moves other text takes no columns.
fn on_one_line(rows: &[Vec<Cell>]) -> Vec<Vec<Cell>> {
    let cell = |(text, tone): &Cell| (shown::line(text), *tone);
    rows.iter().map(|row| row.iter().map(cell).collect()).collect()
}

/// The lines of a table whose last column says why.
pub(crate) fn with_reasons(terminal: &Terminal, columns: &[Column], rows: &[Vec<Cell>]) -> Vec<String> {
    let Some((_, before)) = columns.split_last() else { return Vec::new() };
    let rows = &on_one_line(rows);
    let widths = widths(columns, rows);
    let beside: usize = widths[..before.len()].iter().map(|width| width + GAP).sum();
    if beside.saturating_add(widths[before.len()].min(READABLE)) <= terminal.width() {
        return sentences(terminal, columns, rows);
    }
    let without: Vec<Vec<Cell>> = rows.iter().map(|row| row[..before.len()].to_vec()).collect();
    let mut lines = lines(terminal, before, &without).into_iter();
    let mut all: Vec<String> = lines.next().into_iter().collect();
    for (line, row) in lines.zip(rows) {
        all.push(line);
        let (reason, tone) = &row[before.len()];
        let room = terminal.width().saturating_sub(GAP).max(1);
        all.extend(wrap(reason, room).iter().map(|piece| format!("{:GAP$}{}", "", terminal.paint(*tone, piece))));
    }
    all
}

/// `fit_at_the_end` makes the lines of a cell of the last column.
fn laid_out(
    terminal: &Terminal,
    columns: &[Column],
    rows: &[Vec<Cell>],
    fit_at_the_end: fn(&str, usize) -> Vec<String>,
) -> Vec<String> {
    let rows = &on_one_line(rows);
    let mut shown: Vec<(usize, usize)> = widths(columns, rows).into_iter().enumerate().collect();
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
    let Some((&(at_the_end, room_at_the_end), before)) = shown.split_last() else { return Vec::new() };
    let indent: usize = before.iter().map(|(_, width)| width + GAP).sum();
    let line = |cells: &dyn Fn(usize) -> (String, Tone)| {
        let mut line = String::new();
        for (index, width) in before {
            let (text, tone) = cells(*index);
            let text = shortened(&text, *width);
            let gap = (width + GAP).saturating_sub(text.width());
            line.push_str(&terminal.paint(tone, &text));
            line.push_str(&" ".repeat(gap));
        }
        let (text, tone) = cells(at_the_end);
        let mut pieces = fit_at_the_end(&text, room_at_the_end).into_iter();
        line.push_str(&terminal.paint(tone, &pieces.next().unwrap_or_default()));
        // Nothing at the end leaves no blanks before it.
        line.truncate(line.trim_end().len());
        let more = pieces.map(|piece| format!("{:indent$}{}", "", terminal.paint(tone, &piece)));
        std::iter::once(line).chain(more).collect::<Vec<_>>()
    };
    let titles = line(&|index| (columns[index].title.to_owned(), Tone::Quiet));
    let rows = rows.iter().flat_map(|row| line(&|index| row[index].clone()));
    titles.into_iter().chain(rows).collect()
}

/// A cell that is cut. Of a notebook the end tells more: those of one folder begin alike.
fn shortened(text: &str, width: usize) -> String {
    let is_notebook = text.rsplit_once('.').is_some_and(|(_, kind)| kind == "ipynb");
    if is_notebook { cut_path(text, width) } else { cut(text, width) }
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

    use super::{Column, lines, or_below, sentences, telling_apart, with_reasons};
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

    #[test]
    fn a_sentence_is_wrapped_and_says_all() {
        let cell = |text: &str| (text.to_owned(), Tone::Plain);
        let why = "a person started it, or it is not certain whose it is";
        let columns = [Column { title: "INSTANCE", rank: 0, least: 10 }, Column { title: "WHY", rank: 0, least: 20 }];
        for width in [40, 60, 80, 200] {
            let lines = sentences(&Terminal::plain(width), &columns, &[vec![cell("nightly"), cell(why)]]);
            assert!(lines.iter().all(|line| line.width() <= width && !line.contains('…')), "{width}: {lines:#?}");
            let said: Vec<&str> = lines[1..].iter().flat_map(|line| line.split_whitespace()).collect();
            assert_eq!(said.join(" "), format!("nightly {why}"), "{width}");
        }
        let none = sentences(&Terminal::plain(40), &columns, &[vec![cell("nightly"), cell("")]]);
        assert_eq!(none[1].trim_end(), "nightly");
    }

    #[test]
    fn a_reason_is_beside_its_row_or_below_it_and_its_words_are_whole() {
        let cell = |text: &str| (text.to_owned(), Tone::Plain);
        let why = "runs daily-sales-20261127T091000-161b3148b8";
        let columns = [Column { title: "INSTANCE", rank: 0, least: 10 }, Column { title: "WHY", rank: 0, least: 20 }];
        let rows = [vec![cell("nightly"), cell(why)], vec![cell("reports"), cell("")]];
        let shown = |width| with_reasons(&Terminal::plain(width), &columns, &rows);
        assert_eq!(shown(80), ["INSTANCE  WHY".to_owned(), format!("nightly   {why}"), "reports".to_owned()]);
        assert_eq!(shown(42), ["INSTANCE", "nightly", "  runs", "  daily-sales-20261127T091000-161b3148b8", "reports"]);
    }

    #[test]
    fn a_name_is_whole_and_what_has_no_room_beside_it_is_below() {
        let cell = |text: &str| (text.to_owned(), Tone::Plain);
        let rows = [vec![cell("a-long-name-of-a-rule"), cell("on\n"), cell("in/*.csv"), cell("\u{1b}[2Jb.ipynb")]];
        let columns = [COLUMNS[0], COLUMNS[2], COLUMNS[1], COLUMNS[1]];
        let shown = |width| or_below(&Terminal::plain(width), &columns, &rows, 2, &["in/*.csv -> b.ipynb".to_owned()]);
        assert_eq!(shown(52)[1], "a-long-name-of-a-rule  on       in/*.csv  b.ipynb");
        assert_eq!(shown(40), ["STATUS                 TRIGGER", "a-long-name-of-a-rule  on", "  in/*.csv -> b.ipynb"]);
    }

    /// What is cut of a name is not what tells it from the others.
    #[test]
    fn names_that_are_cut_differ() {
        let names =
            ["report-20261126T181212916-01", "report-20261126T181301404-7f", "report-20261125T060000000-aa", "x"];
        let rows: Vec<Vec<_>> = names
            .iter()
            .map(|name| {
                ["SUCCEEDED", "reports/monthly/report.ipynb", name].map(|text| (text.to_owned(), Tone::Plain)).to_vec()
            })
            .collect();
        let mut columns = COLUMNS;
        columns[2] = Column { title: "RUN", rank: 0, least: 8 };
        for width in [60, 80, 200] {
            let terminal = Terminal::plain(width);
            let lines = lines(&terminal, &telling_apart(&terminal, columns, "RUN", &rows), &rows);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
            let shown = lines[1..].iter().filter_map(|line| line.split_whitespace().last());
            let shown: Vec<&str> = shown.map(|name| name.trim_end_matches('…')).collect();
            for (name, start) in names.iter().zip(&shown) {
                assert!(names.iter().filter(|other| other.starts_with(start)).count() == 1, "{width}: {name}: {start}");
            }
        }
        let narrow = Terminal::plain(40);
        assert!(
            lines(&narrow, &telling_apart(&narrow, columns, "RUN", &rows), &rows).iter().all(|line| line.width() <= 40)
        );
    }
}
