use serde_json::json;

use super::*;
use crate::input;

fn with_parameter(value: &str) -> InputText {
    InputText::new(format!(r#"{{"instance": "a", "notebook": "a.ipynb", "parameters": {{"x": {value}}}}}"#))
}

fn refused(text: &str) -> String {
    let failure = input::read(&InputText::new(text)).unwrap_err();
    assert_eq!(failure.code, crate::Code::InvalidRequest, "{text:.80}");
    assert!(failure.message.ends_with("Correct the input and start a new execution."), "{}", failure.message);
    failure.message
}

/// docs/input.md: "What is accepted arrives as it is written."
#[test]
fn a_value_that_cannot_arrive_as_it_is_written_is_refused_by_name() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (value, expected) in [
        ("1e400", "larger than any double"),
        ("-1e309", "larger than any double"),
        (&format!("1{}", "0".repeat(400)), "larger than any double"),
        ("1e-400", "too small for a double"),
        ("-0.00001e-330", "too small for a double"),
        ("9007199254740992", "beyond ±9007199254740991"),
        ("-9007199254740992", "beyond ±9007199254740991"),
        ("9007199254740993", "beyond ±9007199254740991"),
        ("18446744073709551615", "beyond ±9007199254740991"),
        ("18446744073709551616", "beyond ±9007199254740991"),
        ("123456789012345678901234567890", "beyond ±9007199254740991"),
        ("-0", "write 0, or -0.0"),
        ("NaN", "NaN and Infinity are not JSON"),
        ("[1, -Infinity]", "NaN and Infinity are not JSON"),
        ("Infinity", "NaN and Infinity are not JSON"),
        (r#""\ud800""#, "half of a surrogate pair"),
        (r#""a\\\udc00b""#, "half of a surrogate pair"),
        (r#""\ud800A""#, "half of a surrogate pair"),
        (r#"{"\udfff": 1}"#, "half of a surrogate pair"),
        (&deep(63), "more than 64 levels deep"),
        (&deep(126), "more than 64 levels deep"),
        (&deep(100_000), "more than 64 levels deep"),
        (r#"{"k": 1, "\u006b": 2}"#, "written twice"),
        ("01", "not written as JSON writes numbers"),
        ("True", "must be true, false or null"),
        ("None", "must be true, false or null"),
        ("undefined", "must be true, false or null"),
        ("‘a’", "straight double quotes"),
        ("“a”", "straight double quotes"),
        (r#"{"k": 1,}"#, "remove the comma"),
        (r#"{"k": [1, 2 , ]}"#, "remove the comma"),
        ("{'k': 1}", "a field's name in double quotes"),
        ("+1", "not JSON"),
        ("1.", "not written as JSON writes numbers"),
        (".5", "not JSON"),
        ("'a'", "straight double quotes"),
        ("[1,]", "remove the comma"),
        ("\"a\nb\"", "a control character"),
        (r#""\x41""#, "an escape that JSON does not know"),
        (r#""\ud83d\ude00 \x41""#, "an escape that JSON does not know"),
        (r#""with a space \ud800""#, "half of a surrogate pair"),
        ("\"a\u{1f}b\"", "a control character"),
        (r#""\u12G4""#, "an escape that JSON does not know"),
    ] {
        let message = refused(with_parameter(value).as_str());
        assert!(message.starts_with("parameters.x: ") && message.contains(expected), "{value:.40}: {message}");
    }
}

#[test]
fn what_is_no_input_at_all_is_refused_with_its_place() {
    for (text, expected) in [
        ("", "it ends where a value was expected"),
        ("   ", "it ends where a value was expected"),
        ("\u{feff}{}", "a byte order mark"),
        ("{", "it ends where a field's name"),
        (r#"{"instance": "a""#, "it ends where a comma or the closing bracket"),
        (r#"{"instance": "a"}}"#, "it goes on after the end"),
        (r#"{"instance": "a", "instance": "b"}"#, "instance: a field is written twice"),
        (r#"{"instance": "a\"#, "no closing quote"),
        (r#"{"instance": "a\"}"#, "no closing quote"),
        (r#"{"instance": "a\""#, "no closing quote"),
        (r#"{"instance": ""#, "no closing quote"),
        ("{\"instance\": \"a\n", "no closing quote"),
        ("nul", "not JSON"),
        ("null", "must be a JSON object"),
        ("3", "must be a JSON object"),
        ("\"{}\"", "must be a JSON object"),
        ("[{}]", "must be a JSON object"),
        (r#"{"event": {"detail": {"deep": 1e400}}}"#, "event.detail: a number is larger than any double"),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    let huge = format!(r#"{{"instance": "{}"}}"#, "x".repeat(6 * 1024 * 1024));
    assert!(refused(&huge).len() < 1_000);
}

/// Text is advice for a parameter; anywhere else it would be refused the next time.
#[test]
fn only_a_parameter_is_advised_to_be_text() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    for value in ["1e400", "NaN", "-Infinity", "Infinity", deep.as_str()] {
        for field in ["limits", "keys", "rerun", "event", "whenBusy"] {
            for text in [format!(r#"{{"{field}": {value}}}"#), format!(r#"{{"{field}": {{"x": {value}}}}}"#)] {
                let message = refused(&text);
                assert!(message.starts_with(field) && !message.contains("as text"), "{text:.60}: {message}");
            }
        }
        let message = refused(with_parameter(value).as_str());
        assert!(message.contains("as text"), "{value:.20}: {message}");
    }
}

#[test]
fn no_value_is_in_a_message() {
    for value in [
        r#""secret\ud800""#,
        "[\"secret\", 1e400]",
        r#"{"secret": 1e400}"#,
        r#"{"a": {"secret": NaN}}"#,
        "secret",
        "\"secret\u{1}\"",
    ] {
        let message = refused(with_parameter(value).as_str());
        assert!(!message.contains("secret"), "{message}");
    }
    let name = "n".repeat(5_000);
    assert!(refused(&format!(r#"{{"{name}\u0007": 1e400}}"#)).chars().count() < 300);
    assert_eq!(format!("{:?}", InputText::new("secret")), "InputText(6 bytes)");
}

#[test]
fn what_arrives_as_it_is_written_is_accepted() {
    let deepest = format!("{}{}", "[".repeat(62), "]".repeat(62));
    // Side by side: none of them makes another one deeper.
    let wide = format!("[{}]", ["[{}]"; 200].join(","));
    for value in [
        "9007199254740991",
        "-9007199254740991",
        "0",
        "0.0",
        "-0.0",
        "0e7",
        "0.1",
        "1E5",
        "1e+5",
        "6.02214076e23",
        "1e22",
        "1E-7",
        "5e-324",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "0.1234567890123456789012345678901234567890",
        r#""\ud83d\ude00 \\ud800 \u0000""#,
        r#"{"a": {"k": 1}, "b": {"k": 1}}"#,
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "null",
        "true",
        &deepest,
        &wide,
    ] {
        let text = with_parameter(value);
        let input = input::read(&text).unwrap_or_else(|failure| panic!("{value:.60}: {failure}"));
        assert_eq!(input.parameters["x"], input::outline(&text)["parameters"]["x"]);
    }
}

/// A number in an event decides nothing: the run of a third party's event is not refused for one.
///
/// docs/input.md: "Numbers in the event may have any precision, because nothing computes with them."
#[test]
fn whole_numbers_of_an_event_may_be_large() {
    let text =
        r#"{"instance": "a", "notebook": "a.ipynb", "event": {"detail": {"id": 18446744073709551616, "n": -0}}}"#;
    assert!(input::read(&InputText::new(text)).is_ok());
}

/// The reader answers the nearest double, and writes the shortest text that is read back as the same one.
#[test]
fn a_double_survives_reading_and_writing() {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..100_000 {
        // Any sequence that covers exponents and mantissas; this one is splitmix64's.
        bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let double = f64::from_bits((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb));
        if !double.is_finite() {
            continue;
        }
        for text in [format!("{double:e}"), format!("{double:.25e}")] {
            let exact: f64 = text.parse().unwrap();
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read.as_f64().map(f64::to_bits), Some(exact.to_bits()), "{text}");
            let again: Value = serde_json::from_str(&read.to_string()).unwrap();
            assert_eq!(again.as_f64().map(f64::to_bits), Some(exact.to_bits()), "{text}");
        }
    }
    assert!(json!(1E5).is_f64());
    assert_eq!(json!(-0.0).to_string(), "-0.0");
}

/// The check and the reader agree: whatever passes is read, and with the same structure that the tolerant search sees.
#[test]
fn what_passes_the_check_is_read_and_hostile_texts_end_no_process() {
    let seed =
        r#"{"instance": "a", "parameters": {"x": [1.5e3, "\ud83d\ude00\n", {"k": null}], "é": true}, "event": -0}"#;
    let pieces = [
        "",
        "\"",
        "\\",
        "\\u",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "-",
        "1e999",
        "e",
        ".",
        "é",
        "\u{1f600}",
        "\0",
        " ",
        "NaN",
    ];
    let mut passed = 0;
    for (at, _) in seed.char_indices() {
        for length in 0..4 {
            let Some(rest) = seed.get(at + length..) else { continue };
            for piece in pieces {
                let text = format!("{}{piece}{rest}", &seed[..at]);
                let place = field(&text, "instance");
                if check(&text).is_ok() {
                    passed += 1;
                    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                    let found = place.map(|place| serde_json::from_str::<Value>(text[place].trim_end()).unwrap());
                    assert_eq!(found.as_ref(), value.get("instance"), "{text}");
                }
            }
        }
    }
    assert!(passed > 100, "{passed}");
}

/// As the functions cut an input out of their payload, which no JSON reader may accept.
#[test]
fn a_fields_value_is_found_where_its_quotes_and_brackets_say() {
    for (text, value) in [
        (r#"{"input": 7}"#, Some("7")),
        (r#" { "a" : 1 , "input" :  [1, {"b": "]"}]  }"#, Some("[1, {\"b\": \"]\"}]  ")),
        (r#"{"a": "\", \"input\": 1, \"", "input": 2}"#, Some("2")),
        (r#"{"a": "\\", "input": 2}"#, Some("2")),
        (r#"{"a": {"input": 1}, "b": [{"input": 1}]}"#, None),
        (r#"{"input": 1, "input": {"x": 1e999}}"#, Some("{\"x\": 1e999}")),
        (r#"{"\u0069nput": 3}"#, Some("3")),
        (r#"{"\qinput": 3, "input\": 4"#, None),
        (r#"{"inputs": 3, "npu": 4, "": 5}"#, None),
        (r#"{"input"#, None),
        (r#"{"input": "#, Some("")),
        (r#"{"input": [1, "#, Some("[1, ")),
        (r#"{"input" 7}"#, None),
        (r#"["input", 7]"#, None),
        ("", None),
    ] {
        assert_eq!(field(text, "input").map(|place| &text[place]), value, "{text}");
    }
}
