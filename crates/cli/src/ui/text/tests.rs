use unicode_width::UnicodeWidthStr;

use super::{command_lines, cut, cut_path, fitted, for_shell, usage, wrap};

#[test]
fn a_text_of_lines_keeps_those_that_fit() {
    let text = "it ended; its log ends with:\n | a  b |\n  File \"/a/b.py\", line 3";
    assert_eq!(
        fitted(text, 16),
        ["it ended; its", "log ends with:", " | a  b |", "  File", "  \"/a/b.py\",", "  line 3"]
    );
    assert_eq!(fitted(text, usize::MAX).join("\n"), text);
    assert_eq!(fitted(" - an item of a list", 13), [" - an item", "   of a list"]);
}

#[test]
fn a_shell_reads_values_as_they_are() {
    assert_eq!(for_shell("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
    assert_eq!(for_shell(""), "''");
    assert_eq!(for_shell("a b"), "'a b'");
    assert_eq!(for_shell("it's $(id)"), r"'it'\''s $(id)'");
    assert_eq!(for_shell("a'\\\n\u{202e}é"), r"$'a\'\\\x0a\xe2\x80\xaeé'");
}

#[test]
fn what_is_to_be_copied_is_not_broken() {
    assert_eq!(wrap("write: --cron '0 8 ? * MON *'", 24), ["write: --cron", "'0 8 ? * MON *'"]);
    assert_eq!(wrap("it is `a b`, or `c` (`d e`)", 12), ["it is `a b`,", "or `c`", "(`d e`)"]);
    assert_eq!(wrap("no {{ key }}; it", 9), ["no {{ key", "}}; it"], "no line has room for it");
    assert_eq!(wrap("no {{ key }}; it", 10), ["no", "{{ key }};", "it"]);
    assert_eq!(wrap("the functions' logs and 'tis", 14), ["the functions'", "logs and 'tis"], "nothing is quoted");
    assert_eq!(wrap("no 'a  b', no  'c'", 9), ["no", "'a  b',", "no 'c'"], "two blanks are two");
    assert_eq!(wrap("look:\u{3000}`reveille runs`", 80), ["look: `reveille runs`"]);
    assert_eq!(wrap("to list: reveille runs", 15), ["to list:", "reveille runs"]);
    assert_eq!(wrap("see `reveille runs`, or not", 18), ["see", "`reveille runs`,", "or not"]);
}

#[test]
fn a_shell_reads_the_lines_of_a_command_as_one() {
    let read = |command: &str| {
        let script = format!("aws() {{ printf '<%s>' \"$@\"; }}\n{command}");
        let output = std::process::Command::new("/bin/bash").args(["-c", &script]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let of_query =
        r#"s3 cp a s3://b/c --query 'merge(@,  {a: `b`})' --rule "$(aws s3 ls 's3://a  b' | cat)" --x "c  d""#
            .to_owned();
    let hostile = ["s3://b/it's (2), a  file; x. y.csv", "a'b\\ \u{202e}c d", "\\ '' \"e f\""].map(for_shell);
    for arguments in [of_query, hostile.join(" --key "), hostile[0].clone()] {
        let command = format!("aws {arguments}");
        let (meant, errors) = read(&command);
        assert!(meant.starts_with('<') && errors.is_empty(), "{meant} {errors}");
        for width in [1, 12, 20, 30, 50, 80, 100, 200] {
            let lines = wrap(&format!("write it anew: {command}; or not"), width);
            let shown = format!("      {}", lines.join("\n      "));
            let pasted = &shown[shown.find("aws").unwrap()..shown.rfind(';').unwrap()];
            assert_eq!(read(pasted), (meant.clone(), String::new()), "{width}: {shown}");
        }
    }
    assert_eq!(
        wrap("see: reveille show --stack reader (and b)", 30),
        ["see:", "reveille show --stack reader", "(and b)"]
    );
    assert_eq!(
        wrap("see: reveille show --stack reader (and b)", 22),
        ["see:", "reveille show \\", "--stack reader", "(and b)"],
        "nothing follows it that is not its own"
    );
    assert_eq!(
        wrap("look: reveille run a.ipynb --on nightly -p day 1 --at x", 28),
        ["look:", "reveille run a.ipynb \\", "--on nightly -p day 1 --at x"]
    );
    assert_eq!(command_lines("a --b c --d 0123456789", 9), ["a --b c \\", "--d 0123456789"]);
    assert_eq!(command_lines("a --b c --d 01234", 7), ["a \\", "--b c \\", "--d \\", "01234"]);
    assert_eq!(
        wrap("while it is stopped: aws sagemaker update-notebook-instance --notebook-instance-name n", 45),
        ["while it is stopped:", "aws sagemaker update-notebook-instance \\", "--notebook-instance-name n"]
    );
}

#[test]
fn a_usage_goes_on_below_its_beginning() {
    let line = "\u{1b}[1mUsage:\u{1b}[0m a b [OPTIONS] <NAME>";
    assert_eq!(usage(line, 80), [line]);
    assert_eq!(usage(line, 22), ["\u{1b}[1mUsage:\u{1b}[0m a b [OPTIONS]", "       <NAME>"]);
    assert_eq!(usage("       a b [OPTIONS] <NAME>", 21), ["       a b [OPTIONS]", "       <NAME>"]);
}

#[test]
fn a_tab_is_some_blanks() {
    assert_eq!((cut("a\tb", 80), fitted("\ta", 80)), ("a    b".to_owned(), vec!["    a".to_owned()]));
}

#[test]
fn long_lines_are_cut_between_characters() {
    assert_eq!(cut("é\nx", 80), "é");
    assert_eq!(cut(&"é".repeat(200), 91).width(), 91);
    assert_eq!(cut("日本語", 4), "日…");
    assert_eq!(cut("abcd", 4), "abcd");
}

#[test]
fn a_path_that_is_cut_keeps_its_end() {
    assert_eq!(cut_path("reports/monthly/summary.ipynb", 15), "…/summary.ipynb");
    assert_eq!(cut_path("a.ipynb", 7), "a.ipynb");
    assert_eq!(cut_path("日本語.ipynb", 9), "…語.ipynb");
    assert_eq!((cut_path("a.ipynb", 1), cut_path("", 0)), ("…".to_owned(), String::new()));
}

#[test]
fn nothing_in_a_text_moves_the_cursor() {
    let hostile = "a\u{1b}[2J\u{9b}1Ab\rc\u{202e}\u{1b}cd";
    assert_eq!(cut(hostile, 80), "ab");
    assert_eq!(wrap(hostile, 80), ["ab cd"]);
}

#[test]
fn sentences_break_between_words_and_long_words_where_the_line_ends() {
    assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    assert_eq!(wrap("unbreakable", 4), ["unbr", "eaka", "ble"]);
    assert_eq!(wrap("s3://bucket/orders/europe.csv", 20), ["s3://bucket/orders/", "europe.csv"], "a path at a joint");
    assert_eq!(wrap("a/unbreakable", 8), ["a/unbrea", "kable"], "and not after a few characters");
    assert_eq!(wrap("日本語", 1), ["日本語"], "no endless loop");
    assert!(wrap("", 10).is_empty());
}
