//! Rules on uploads that would start each other for ever, as far as their parameters tell: the runs of one write files that the next takes.

use serde_json::{Map, Value};

use super::{Watched, places};

/// A rule on uploads, and the run that it would start for an example's key.
#[derive(Clone, Debug)]
pub(crate) struct Feeding {
    pub(crate) rule: String,
    pub(crate) watched: Watched,
    pub(crate) parameters: Map<String, Value>,
}

impl Feeding {
    /// The parameter that names a place among the files of another rule, and what it would be.
    fn names<'a>(&'a self, other: &Self, reads: &[String]) -> Option<(&'a str, &'a str)> {
        places::named(&other.watched, &self.parameters, reads, (&self.watched.bucket, &self.watched.example()))
    }

    /// Why this one would start itself by way of others. `reads` are its parameters of which a person says that its notebook only reads there.
    pub(crate) fn circle(&self, others: &[Self], reads: &[String]) -> Option<String> {
        let own = |from: &Self| if std::ptr::eq(from, self) { reads } else { &[] };
        // Each with the one that feeds it.
        let mut reached: Vec<(&Self, Option<usize>)> = vec![(self, None)];
        let mut at = 0;
        while at < reached.len() {
            let from = reached[at].0;
            if at > 0 && from.names(self, &[]).is_some() {
                return Some(self.told(&way(&reached, at), reads));
            }
            let next = others.iter().filter(|other| from.names(other, own(from)).is_some());
            let next: Vec<&Self> =
                next.filter(|other| !reached.iter().any(|(seen, _)| std::ptr::eq(*seen, *other))).collect();
            reached.extend(next.into_iter().map(|other| (other, Some(at))));
            at += 1;
        }
        None
    }

    /// `way` begins with this one.
    fn told(&self, way: &[&Self], reads: &[String]) -> String {
        let next = way.iter().skip(1).chain([&self]);
        let steps: Vec<String> = way.iter().zip(next).filter_map(|(from, to)| self.step(from, to, reads)).collect();
        let only = way.get(1).and_then(|to| self.names(to, reads)).map(|(name, _)| name);
        format!(
            "runs would start runs for ever, if their notebooks write there: {}. Let one of them write elsewhere. If one of them only reads there, add: --reads {}",
            steps.join("; "),
            only.unwrap_or_default()
        )
    }

    fn step(&self, from: &Self, to: &Self, reads: &[String]) -> Option<String> {
        let is_self = |rule: &Self| std::ptr::eq(rule, self);
        let (name, text) = from.names(to, if is_self(from) { reads } else { &[] })?;
        let of = if is_self(from) { "this rule".to_owned() } else { format!("the rule {}", from.rule) };
        let takes = if is_self(to) { "this rule".to_owned() } else { format!("the rule {}", to.rule) };
        Some(format!("the parameter {name} of {of} would be {text}, where {takes} takes files"))
    }
}

/// From the first one to the one at this place.
fn way<'a>(reached: &[(&'a Feeding, Option<usize>)], mut at: usize) -> Vec<&'a Feeding> {
    let mut way = vec![reached[at].0];
    while let Some(before) = reached[at].1 {
        at = before;
        way.push(reached[at].0);
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Feeding;
    use crate::triggers::Watched;

    /// A rule on a folder whose runs write to others.
    fn rule(folder: &str, targets: &[&str]) -> Feeding {
        let watched = Watched::new("in-1", &format!("{folder}/"), ".csv").unwrap();
        let targets: Vec<String> = targets.iter().map(|target| format!("s3://in-1/{target}")).collect();
        let parameters = json!({"source": format!("s3://in-1/{}", watched.example()), "target": targets});
        Feeding { rule: folder.to_owned(), watched, parameters: parameters.as_object().unwrap().clone() }
    }

    #[test]
    fn rules_that_feed_each_other_are_found() {
        let circle = |new: &Feeding, others: &[Feeding]| new.circle(others, &[]);
        let two = circle(&rule("a", &["b/done"]), &[rule("b", &["a"])]).unwrap();
        assert!(
            two.contains("the parameter target of this rule would be s3://in-1/b/done, where the rule b takes files; the parameter target of the rule b would be s3://in-1/a, where this rule takes files."),
            "{two}"
        );
        assert!(two.ends_with("add: --reads target"), "{two}");
        let three = circle(&rule("a", &["b"]), &[rule("b", &["c", "d"]), rule("c", &["a"]), rule("d", &["e"])]);
        assert!(three.unwrap().contains("the rule c would be s3://in-1/a, where this rule takes files"));
        for (new, others) in [
            (rule("a", &["b"]), vec![rule("b", &["c"]), rule("c", &["b"])]),
            (rule("a", &["b"]), vec![rule("b", &["c"])]),
            (rule("a", &["b/x.parquet"]), vec![rule("b", &["a"])]),
            (rule("a", &[]), vec![rule("b", &["a"])]),
            (rule("a", &["b"]), vec![]),
        ] {
            assert_eq!(circle(&new, &others), None, "{new:?}");
        }
        let reads = ["target".to_owned()];
        assert_eq!(rule("a", &["b"]).circle(&[rule("b", &["a"])], &reads), None);
    }

    /// Both take the same files, and each gets its own as a parameter.
    #[test]
    fn two_rules_on_the_same_files_are_no_circle() {
        assert_eq!(rule("a", &[]).circle(&[rule("a", &[])], &[]), None);
    }
}
