use super::*;

#[test]
fn every_code_is_listed_once_and_parses_back() {
    for code in Code::ALL {
        assert_eq!(Code::parse(code.as_str()), Some(code));
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(Code::ALL.iter().filter(|c| **c == code).count(), 1);
    }
    assert_eq!(Code::parse("NoSuchCode"), None);
}

/// The reason is at the beginning and the advice at the end; what is too long is between.
///
/// docs/output.md: "A longer one is shortened in its middle."
#[test]
fn a_long_message_loses_its_middle() {
    let value = "é".repeat(99_999);
    let failure = Failure::new(Code::Internal, format!("It broke: {value}. Do this."));
    assert_eq!(failure.message.chars().count(), MAX_MESSAGE_CHARS);
    assert!(failure.message.starts_with("It broke: é") && failure.message.ends_with("é. Do this."));
    let retried = Failure::new(Code::Throttled, format!("{value}. {RETRIED}")).retries_exhausted();
    assert!(retried.message.ends_with("Redrive the execution to try again."), "{}", retried.message);
}

/// What a notebook or a forged record says is shown, and does nothing else.
///
/// docs/output.md: "control characters other than line breaks and tabs are removed, and so are marks that reorder text"
#[test]
fn no_failure_holds_a_control_character() {
    let hostile = "a\u{1b}[\u{1b}[31m2Jb\u{1b}c\u{9b}2Jc\rd\u{202e}e\u{1b}]0;t\u{7}f".to_owned();
    let cell = FailedCell {
        number: 1,
        error_name: hostile.clone(),
        error_value: hostile.clone(),
        traceback_tail: vec![hostile.clone()],
    };
    let evidence = Evidence { cell: Some(cell), log_tail: vec![hostile.clone()] };
    let record =
        Failure { code: Code::NotebookFailed, message: hostile.clone(), evidence: Some(Box::new(evidence.clone())) };
    for failure in [
        Failure::new(Code::NotebookFailed, &hostile).with_evidence(evidence),
        Failure::new(Code::NotebookFailed, "It failed.").also(&hostile),
        record.bounded(),
    ] {
        let json = serde_json::to_value(&failure).unwrap();
        let mut texts = vec![failure.with_tail()];
        if let Some(cell) = failure.evidence.as_ref().and_then(|evidence| evidence.cell.clone()) {
            texts.extend([cell.error_name, cell.error_value]);
            texts.extend(cell.traceback_tail);
        }
        texts.extend(failure.evidence.into_iter().flat_map(|evidence| evidence.log_tail));
        for text in texts {
            assert!(!text.chars().any(|c| shown::is_hidden(c) && c != '\n'), "{text:?} of {json}");
        }
    }
}

#[test]
fn the_largest_failure_fits_everywhere() {
    for letter in ["\u{1}", "é", "𝒳", "\"", "x"] {
        let lines = || vec![letter.repeat(10_000); 500];
        let cell = FailedCell {
            number: 1,
            error_name: letter.repeat(9_999),
            error_value: letter.repeat(99_999),
            traceback_tail: lines(),
        };
        let failure = Failure { code: Code::NotebookFailed, message: letter.repeat(99_999), evidence: None }
            .with_evidence(Evidence { cell: Some(cell), log_tail: lines() })
            .bounded();
        let json = serde_json::to_string(&failure).unwrap();
        assert!(json.len() < 100 * 1024, "{letter:?}: {}", json.len());
        let evidence = failure.evidence.as_ref().unwrap();
        assert!(!evidence.log_tail.is_empty() && !evidence.cell.as_ref().unwrap().traceback_tail.is_empty());
        let cause = serde_json::json!({"errorType": failure.code, "errorMessage": failure.with_tail()});
        assert!(cause.to_string().chars().count() <= 32_768, "{letter:?}");
        assert!(failure.with_tail().len() > failure.message.len(), "{letter:?}: some of the tail is left");
    }
}

#[test]
fn a_sentence_that_is_added_is_kept_whole() {
    let failure = Failure::new(Code::Internal, "é".repeat(MAX_MESSAGE_CHARS)).also("Stop the instance.");
    assert!(failure.message.ends_with("é Stop the instance."), "{}", failure.message);
    assert_eq!(failure.message.chars().count(), MAX_MESSAGE_CHARS);
    assert_eq!(failure.message.matches(" … ").count(), 1, "it is cut once");
    assert_eq!(Failure::new(Code::Internal, "It broke.").also("Stop it.").message, "It broke. Stop it.");
}

#[test]
fn a_failure_is_shown_with_its_code_first() {
    assert_eq!(Failure::new(Code::Busy, "Somebody works on it.").to_string(), "Busy: Somebody works on it.");
}
