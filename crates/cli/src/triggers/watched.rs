//! The objects that a trigger takes, and the pattern of its rule: what infra/trigger-upload.yaml makes of the same words.

use reveille_domain::input::Keys;
use serde_json::{Value, json};

use crate::wildcard::matches;

/// Besides letters and digits, what a prefix and a suffix may hold: as the templates have it. All else means something to a pattern.
const SIGNS: &str = "!_.()/=+@ -";
/// As long as a key of S3 can be, in bytes.
pub(crate) const MOST: usize = 1024;

/// The objects of a bucket whose keys begin and end so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// Whose keys also match this, in which `*` stands for any characters. It begins with the prefix and ends with the suffix.
    pub(crate) wildcard: Option<String>,
}

impl Watched {
    /// # Errors
    /// A sentence that names the option, and what it may hold.
    pub(crate) fn new(bucket: &str, prefix: &str, suffix: &str) -> Result<Self, String> {
        check_bucket(bucket)?;
        check("--prefix", prefix, SIGNS)?;
        check("--suffix", suffix, SIGNS)?;
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), suffix: suffix.to_owned(), wildcard: None })
    }

    /// The objects whose keys match a pattern with `*`.
    ///
    /// # Errors
    /// A sentence that names the option, and what it may hold.
    pub(crate) fn matching(bucket: &str, pattern: &str) -> Result<Self, String> {
        check_bucket(bucket)?;
        check("--wildcard", pattern, &format!("{SIGNS}*"))?;
        if pattern.contains("**") {
            return Err(
                "--wildcard: EventBridge takes no two asterisks beside each other; one stands for any characters, slashes too"
                    .to_owned(),
            );
        }
        Self::of_wildcard(bucket, pattern).ok_or_else(|| {
            "--wildcard: there is no asterisk in it; write orders/*/daily-*.csv, or give --prefix or --suffix"
                .to_owned()
        })
    }

    fn of_wildcard(bucket: &str, pattern: &str) -> Option<Self> {
        let ((prefix, _), (_, suffix)) = (pattern.split_once('*')?, pattern.rsplit_once('*')?);
        let wildcard = Some(pattern.to_owned());
        Some(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), suffix: suffix.to_owned(), wildcard })
    }

    pub(crate) fn take(&self, bucket: &str, key: &str) -> bool {
        let fits = self.wildcard.as_ref().is_none_or(|wildcard| matches(wildcard, key));
        bucket == self.bucket && key.starts_with(&self.prefix) && key.ends_with(&self.suffix) && fits
    }

    /// Whether the rule itself takes no other key. Otherwise it takes each with the prefix, and the first step of the execution decides.
    pub(crate) fn rule_decides(&self) -> bool {
        self.wildcard.is_some() || self.prefix.is_empty() || self.suffix.is_empty() || self.is_folder_and_file()
    }

    /// The two cannot share a character.
    fn is_folder_and_file(&self) -> bool {
        self.prefix.ends_with('/') && !self.suffix.contains('/')
    }

    /// The rule's event pattern.
    pub(crate) fn pattern(&self) -> Value {
        let Self { bucket, prefix, suffix, wildcard } = self;
        let key = match (prefix.is_empty(), suffix.is_empty()) {
            _ if wildcard.is_some() => json!({"wildcard": wildcard}),
            (false, false) if self.is_folder_and_file() => json!({"wildcard": format!("{prefix}*{suffix}")}),
            (false, false) => json!({"wildcard": format!("{prefix}*")}),
            (true, false) => json!({"suffix": suffix}),
            // An empty prefix takes every key.
            (_, true) => json!({"prefix": prefix}),
        };
        json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}},
        })
    }

    /// What the rule hands to the execution, so that its first step can decide.
    pub(crate) fn keys(&self) -> Value {
        json!({"prefix": self.prefix, "suffix": self.suffix})
    }

    /// What a rule takes, if its pattern says it by one bucket, one prefix and one suffix: anybody may have made it.
    pub(super) fn read(pattern: &Value, input: &Value) -> Option<Self> {
        let detail = pattern["detail"].as_object().filter(|detail| !detail.contains_key("$or"))?;
        let [Value::String(bucket)] = detail.get("bucket")?["name"].as_array()?.as_slice() else { return None };
        let of = |prefix: &str, suffix: &str| Self {
            bucket: bucket.clone(),
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            wildcard: None,
        };
        // The rule may pass on more keys than its runs are about.
        let Keys { prefix, suffix } = serde_json::from_value(input["keys"].clone()).unwrap_or_default();
        let by_keys = of(&prefix, &suffix);
        if by_keys.pattern() == *pattern {
            return Some(by_keys);
        }
        let object = detail.get("object").unwrap_or(&Value::Null);
        if object.get("$or").is_some() {
            return None;
        }
        match &object["key"] {
            Value::Null => Some(of("", "")),
            Value::Array(filters) => match filters.as_slice() {
                [Value::Object(filter)] if filter.len() == 1 => {
                    let text = |name: &str| filter.get(name).and_then(Value::as_str);
                    if let Some(text) = text("wildcard") {
                        // One asterisk between a folder and a file's ending is how a prefix and a suffix are written.
                        let is_plain = !text.contains('\\') && !text.contains("**");
                        let ends = text.split_once('*').map(|(prefix, suffix)| of(prefix, suffix));
                        let ends = ends.filter(|it| {
                            it.pattern()["detail"]["object"]["key"][0]["wildcard"] == *text && !it.suffix.contains('*')
                        });
                        return ends.or_else(|| Self::of_wildcard(bucket, text)).filter(|_| is_plain);
                    }
                    let ends = text("prefix").map(|prefix| of(prefix, ""));
                    ends.or_else(|| text("suffix").map(|suffix| of("", suffix)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// As people write it: `s3://in/orders/*.csv`.
    pub(crate) fn shown(&self) -> String {
        match &self.wildcard {
            Some(wildcard) => format!("s3://{}/{wildcard}", self.bucket),
            None => format!("s3://{}/{}*{}", self.bucket, self.prefix, self.suffix),
        }
    }

    /// A key that it takes, for an example.
    pub(crate) fn example(&self) -> String {
        if let Some(wildcard) = &self.wildcard {
            return wildcard.replace('*', "example");
        }
        let file = if self.suffix.starts_with(['.', '/']) || self.suffix.is_empty() { "example" } else { "" };
        format!("{}{file}{}", self.prefix, self.suffix)
    }

    /// Why it does not take a key; without a bucket, of its own.
    pub(super) fn why_not(&self, bucket: Option<&str>, key: &str) -> Option<String> {
        if bucket.is_some_and(|bucket| bucket != self.bucket) {
            Some(format!("it watches the bucket {}", self.bucket))
        } else if !key.starts_with(&self.prefix) {
            Some(format!("the key does not begin with {}", self.prefix))
        } else if !key.ends_with(&self.suffix) {
            Some(format!("the key does not end with {}", self.suffix))
        } else {
            let unlike = self.wildcard.as_ref().filter(|wildcard| !matches(wildcard, key));
            unlike.map(|wildcard| format!("the key does not match {wildcard}"))
        }
    }
}

fn check_bucket(bucket: &str) -> Result<(), String> {
    if is_bucket(bucket) {
        return Ok(());
    }
    Err(format!(
        "--bucket: `{bucket}` is not a bucket's name; give only the name, such as my-bucket (for s3://my-bucket/orders/: --bucket my-bucket --prefix orders/)"
    ))
}

/// Whether an option may hold a text, by its characters and its length.
fn check(flag: &str, text: &str, signs: &str) -> Result<(), String> {
    if let Some(sign) = text.chars().find(|sign| !sign.is_ascii_alphanumeric() && !signs.contains(*sign)) {
        let cure = if sign == '*' {
            "it matches every key that begins or ends with it, without an asterisk: write --prefix orders/ --suffix .csv, or --wildcard 'orders/*/daily-*.csv'"
        } else {
            "leave that part of the key out; the rule then matches more keys, and the notebook can check {{ key }}"
        };
        return Err(format!(
            "{flag}: the character `{}` cannot be in it (letters, digits and {signs} can); {cure}",
            sign.escape_default()
        ));
    }
    if text.len() > MOST {
        return Err(format!("{flag}: it has {} characters, and an S3 key has at most {MOST}", text.len()));
    }
    Ok(())
}

/// What S3 takes as a name, as the templates have it.
fn is_bucket(name: &str) -> bool {
    let ends = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit());
    (3..=63).contains(&name.len())
        && ends(name.chars().next())
        && ends(name.chars().last())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use reveille_contract_tests::{intrinsics::ParametrisedStack, template};
    use serde_json::json;

    use super::Watched;

    /// Every text of at most so many of these letters.
    fn texts(longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        for length in 0..longest {
            let longer: Vec<String> = all.iter().filter(|text| text.len() == length).cloned().collect();
            all.extend(longer.iter().flat_map(|text| ["a", ".", "/"].map(|letter| format!("{text}{letter}"))));
        }
        all
    }

    /// A rule of the command and one of the small stack have the same pattern.
    #[test]
    fn the_pattern_is_that_of_the_template() {
        let template = template("infra/trigger-upload.yaml");
        let all = texts(3);
        let longer =
            [("incoming/", ".csv"), ("incoming/orders-", ".csv"), ("daily/", "/data.csv"), ("a b/(1)=", "+@!_-")];
        let pairs = all.iter().flat_map(|prefix| all.iter().map(move |suffix| (prefix.as_str(), suffix.as_str())));
        for (prefix, suffix) in pairs.chain(longer) {
            let given = [("Bucket", "in.bucket-1"), ("Prefix", prefix), ("Suffix", suffix)];
            let stack = ParametrisedStack::new(&template, &given);
            let of_template = stack.value(&template["Resources"]["ObjectCreatedRule"]["Properties"]["EventPattern"]);
            let watched = Watched::new("in.bucket-1", prefix, suffix).unwrap();
            assert_eq!(watched.pattern(), of_template, "{prefix:?} {suffix:?}");
            let input = json!({"keys": watched.keys()});
            assert_eq!(Watched::read(&of_template, &input).as_ref(), Some(&watched));
            assert!(
                watched.take("in.bucket-1", &watched.example()) && watched.why_not(None, &watched.example()).is_none()
            );
        }
    }

    /// Against every way to fill the asterisks.
    #[test]
    fn a_wildcard_takes_what_it_says() {
        let keys = texts(4);
        for pattern in ["*", "a*", "*a", "a*a", "a/*", "*.a", "a*/*a", "*/*", "a*.*/*", "*a*", "*a*.*"] {
            let watched = Watched::matching("in-1", pattern).unwrap();
            for key in &keys {
                let fits = fits(pattern, key);
                assert_eq!(watched.take("in-1", key), fits, "{pattern} {key}");
                assert_eq!(watched.why_not(None, key).is_none(), fits, "{pattern} {key}");
                assert!(!watched.take("in-2", key));
            }
            let example = watched.example();
            assert!(watched.take("in-1", &example) && watched.rule_decides(), "{pattern} {example}");
            assert_eq!(watched.shown(), format!("s3://in-1/{pattern}"));
            let read = Watched::read(&watched.pattern(), &json!({"keys": watched.keys()})).unwrap();
            assert_eq!((read.pattern(), read.shown()), (watched.pattern(), watched.shown()), "{pattern}");
        }
        for (pattern, said) in [
            ("", "no asterisk"),
            ("orders/a.csv", "no asterisk"),
            ("a/**/b", "no two asterisks"),
            ("a\\*", "the character `\\\\`"),
            ("é*", "the character `\\u{e9}`"),
        ] {
            let problem = Watched::matching("in-1", pattern).unwrap_err();
            assert!(problem.starts_with("--wildcard: ") && problem.contains(said), "{problem}");
        }
        assert!(Watched::matching("in-1", &"*a".repeat(600)).is_err());
    }

    /// The same, slowly.
    fn fits(pattern: &str, key: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == key,
            Some((first, rest)) => {
                key.strip_prefix(first).is_some_and(|left| (0..=left.len()).any(|at| fits(rest, &left[at..])))
            }
        }
    }

    /// What the templates refuse, the command refuses, and nothing else.
    #[test]
    fn a_prefix_holds_what_the_template_lets_it_hold() {
        let template = template("infra/trigger-upload.yaml");
        let allowed = template["Parameters"]["Prefix"]["AllowedPattern"].as_str().unwrap();
        let (_, signs) = allowed.split_once("A-Za-z0-9").unwrap();
        let (signs, _) = signs.split_once("]*$").unwrap();
        for sign in (0_u8..=255).map(char::from) {
            let takes = sign.is_ascii_alphanumeric() || signs.contains(sign);
            for (prefix, suffix) in [(sign.to_string(), String::new()), (String::new(), sign.to_string())] {
                assert_eq!(Watched::new("in-1", &prefix, &suffix).is_ok(), takes, "{sign:?}");
            }
        }
        for name in ["Prefix", "Suffix"] {
            assert_eq!(template["Parameters"][name]["MaxLength"], super::MOST);
        }
        assert!(Watched::new("in-1", &"a".repeat(1025), "").is_err());
        assert!(Watched::new("in-1", "orders/*", "").unwrap_err().contains("without an asterisk"));
        for bucket in ["", "ab", "In", "s3://in/orders/", "in_1", "-in", "in.", &"a".repeat(64)] {
            assert!(Watched::new(bucket, "", "").unwrap_err().starts_with("--bucket: "), "{bucket}");
        }
    }
}
