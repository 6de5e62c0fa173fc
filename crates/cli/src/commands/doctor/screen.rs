//! How findings look: below a heading for each thing on a terminal, a line each on a pipe, and as JSON.

use serde_json::{Value, json};

use super::finding::{Check, Finding, Verdict};
use crate::ui::{
    labelled,
    terminal::{Terminal, Tone},
    text::wrap,
};

/// `cure` and a gap.
const LABEL: usize = 6;

pub(super) fn show(terminal: &Terminal, findings: &[Finding]) {
    for line in lines(terminal, findings) {
        terminal.line(&line);
    }
}

fn lines(terminal: &Terminal, findings: &[Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut heading = String::new();
    for finding in findings {
        let its = heading_of(finding);
        if terminal.moves() && its != heading {
            if !heading.is_empty() {
                lines.push(String::new());
            }
            lines.push(terminal.paint(Tone::Strong, &its));
            heading = its;
        }
        lines.extend(if terminal.moves() { on_terminal(terminal, finding) } else { on_pipe(terminal, finding) });
    }
    lines.push(String::new());
    lines.extend(wrap(&summary(findings), terminal.width()).iter().map(|line| terminal.paint(Tone::Strong, line)));
    lines
}

/// What a group of findings is about.
fn heading_of(finding: &Finding) -> String {
    let kind = match finding.check {
        Check::Region | Check::Credentials | Check::Clock => "Account",
        check if check < Check::Bucket => "Stack",
        check if check < Check::Triggers => "Bucket of records",
        check if check < Check::Instances => "Trigger",
        _ => "Instance",
    };
    finding.about.as_ref().map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
}

fn on_terminal(terminal: &Terminal, finding: &Finding) -> Vec<String> {
    let (mark, tone) = match finding.verdict {
        Verdict::Ok => ("✓", Tone::Good),
        Verdict::Warn => ("!", Tone::Moving),
        Verdict::Fail => ("✗", Tone::Bad),
        Verdict::Unchecked => ("–", Tone::Quiet),
    };
    let what = match finding.verdict {
        Verdict::Unchecked => format!("not checked: {}", finding.what),
        _ => finding.what.clone(),
    };
    let mut lines = terminal.marked_lines(tone, mark, &what);
    if let Some(cure) = &finding.cure {
        lines.extend(labelled::lines(terminal, LABEL, "cure", cure));
    }
    lines
}

/// One line, which a program can search: the word, the thing, what is wrong, the cure.
fn on_pipe(terminal: &Terminal, finding: &Finding) -> Vec<String> {
    let mut text = match &finding.about {
        Some(name) => format!("{name}: {}", finding.what),
        None => finding.what.clone(),
    };
    if let Some(cure) = &finding.cure {
        text = format!("{text}. Cure: {cure}");
    }
    terminal.marked_lines(Tone::Plain, &format!("{:<11}", word(finding.verdict)), &text)
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
        Verdict::Unchecked => "not checked",
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let counted: Vec<String> = [
        (Verdict::Fail, "failed"),
        (Verdict::Warn, "to look at"),
        (Verdict::Unchecked, "not checked"),
        (Verdict::Ok, "in order"),
    ]
    .into_iter()
    .filter(|(verdict, _)| *verdict == Verdict::Fail || count(*verdict) > 0)
    .map(|(verdict, word)| format!("{} {word}", count(verdict)))
    .collect();
    let checks = if findings.len() == 1 { "check" } else { "checks" };
    format!("{} {checks}: {}", findings.len(), counted.join(", "))
}

pub(super) fn as_json(findings: &[Finding]) -> Value {
    findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check.name(),
                "verdict": match finding.verdict {
                    Verdict::Unchecked => "notChecked",
                    verdict => word(verdict),
                },
                "about": finding.about,
                "what": finding.what,
                "cure": finding.cure,
                "permission": finding.permission,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    use super::{as_json, heading_of, lines, on_terminal};
    use crate::{
        clients::checkup::Unknown,
        commands::doctor::finding::{Check, Finding},
        ui::terminal::Terminal,
    };

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok(Check::Region, "the region is eu-west-1"),
            Finding::warn(Check::TriggerState, "it is paused", "reveille on-upload resume orders").about("orders"),
            Finding::fail(Check::Platform, "its platform is notebook-al2-v2, which AWS does not start any more", "aws sagemaker update-notebook-instance --notebook-instance-name nightly --platform-identifier notebook-al2023-v1").about("nightly"),
            Finding::unchecked(Check::Undelivered, &Unknown::Denied("sqs:GetQueueAttributes")),
        ]
    }

    #[test]
    fn a_program_reads_a_line_for_each_finding() {
        let lines = lines(&Terminal::plain(usize::MAX), &findings());
        assert_eq!(lines[0], "ok          the region is eu-west-1");
        assert_eq!(lines[1], "warn        orders: it is paused. Cure: reveille on-upload resume orders");
        assert!(
            lines[3].starts_with("not checked undelivered: you may not ask, which takes sqs:GetQueueAttributes"),
            "{lines:#?}"
        );
        assert_eq!(lines[5], "4 checks: 1 failed, 1 to look at, 1 not checked, 1 in order");
    }

    #[test]
    fn a_finding_fits_its_terminal_and_says_whose_it_is() {
        for width in [60, 80, 200] {
            for finding in findings() {
                let lines = on_terminal(&Terminal::plain(width), &finding);
                assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            }
        }
        let headings: Vec<String> = findings().iter().map(heading_of).collect();
        assert_eq!(headings, ["Account", "Trigger orders", "Instance nightly", "Stack"]);
    }

    #[test]
    fn json_names_the_check_the_cure_and_the_permission() {
        let all = as_json(&findings());
        assert_eq!(
            all[1],
            json!({"check": "triggerState", "verdict": "warn", "about": "orders", "what": "it is paused",
                "cure": "reveille on-upload resume orders", "permission": null})
        );
        assert_eq!(
            (&all[3]["verdict"], &all[3]["permission"]),
            (&json!("notChecked"), &json!("sqs:GetQueueAttributes"))
        );
    }
}
