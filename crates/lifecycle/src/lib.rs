//! Renders the on-start script of a notebook instance: settings in front of a fixed body.
//!
//! Owns: which settings the script gets, that none of them can be anything but data, and `SageMaker`'s limits
//! on a lifecycle script; and what an attached script says of itself. Never: talks to AWS, or decides what the script does
//! (`infra/lifecycle/on-start.sh` does).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod read;

pub use read::{AttachedScript, has_cr, named_runner, room};

/// The body, as it appears in `infra/lifecycle/on-start.sh`.
pub const ON_START: &str = include_str!("../../../infra/lifecycle/on-start.sh");
/// The line of the body that the settings take the place of.
const PLACE: &str = "# --- preamble ---\n";
/// `SageMaker`'s limit on a lifecycle script: characters of its base64 form.
const MAX_BASE64: usize = 16_384;
/// S3's limit on a key.
const MAX_KEY: usize = 1_024;
/// The key of a runner is ours, and there is not room for more.
const MAX_RUNNER_KEY: usize = 128;

/// The settings of a deployed stack that the script needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preamble {
    /// The stack's bucket.
    pub bucket: String,
    /// What the keys of the runs begin with: empty, or ends with `/`.
    pub prefix: String,
    /// The key of the runner's binary; empty: the one that the stack names at each start.
    pub runner_key: String,
    /// SHA-256 of that binary, in 64 lower-case hexadecimal digits; empty with the key.
    pub runner_sha256: String,
}

/// Why no script can be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A setting is not of the form it must have.
    #[error("{setting} is {value:?}, which is not allowed: it must be {rule}")]
    Setting {
        /// Its name in the script.
        setting: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The body is not a script with one place for the settings.
    #[error("the body of the on-start script cannot be used: {reason}; restore infra/lifecycle/on-start.sh")]
    Body {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The script is larger than `SageMaker` takes.
    #[error("the on-start script has {size} base64 characters, and SageMaker takes {MAX_BASE64}: shorten its body")]
    TooLarge {
        /// Its size in base64 characters.
        size: usize,
    },
}

/// Puts the settings into the body.
///
/// # Errors
/// [`RenderError`]: a setting that is not strictly what it must be, a body without its place for the
/// settings or with CR line endings, or a script over `SageMaker`'s limit.
pub fn render(body: &str, preamble: &Preamble) -> Result<String, RenderError> {
    preamble.check()?;
    let broken = |reason| Err(RenderError::Body { reason });
    if !body.starts_with("#!/bin/bash\n") {
        return broken("its first line is not #!/bin/bash");
    }
    if body.contains('\r') {
        return broken("it has CR line endings, with which bash fails");
    }
    if body.matches(PLACE).count() != 1 {
        return broken("it has not exactly one line `# --- preamble ---`");
    }
    let script = body.replace(PLACE, &preamble.assignments());
    let size = script.len().div_ceil(3) * 4;
    if size > MAX_BASE64 { Err(RenderError::TooLarge { size }) } else { Ok(script) }
}

impl Preamble {
    fn check(&self) -> Result<(), RenderError> {
        let rules: [(&str, &str, bool, &str); 4] = [
            ("REVEILLE_BUCKET", &self.bucket, is_bucket(&self.bucket), "the name of a bucket"),
            (
                "REVEILLE_PREFIX",
                &self.prefix,
                self.prefix.is_empty() || self.prefix.strip_suffix('/').is_some_and(is_key),
                "empty, or folders of A-Z a-z 0-9 . _ = - that end with /",
            ),
            (
                "REVEILLE_RUNNER_KEY",
                &self.runner_key,
                self.runner_key.is_empty() || self.runner_key.len() <= MAX_RUNNER_KEY && is_key(&self.runner_key),
                "empty, or a key of at most 128 A-Z a-z 0-9 . _ = - and /",
            ),
            (
                "REVEILLE_RUNNER_SHA256",
                &self.runner_sha256,
                if self.runner_key.is_empty() { self.runner_sha256.is_empty() } else { is_sha256(&self.runner_sha256) },
                "64 lower-case hexadecimal digits with a runner's key, and empty without one",
            ),
        ];
        match rules.into_iter().find(|(_, _, good, _)| !good) {
            Some((setting, value, _, rule)) => Err(RenderError::Setting { setting, value: value.to_owned(), rule }),
            None => Ok(()),
        }
    }

    /// After [`Self::check`] no value holds a quote, so that single quotes make each plain data.
    fn assignments(&self) -> String {
        format!(
            "REVEILLE_BUCKET='{}'\nREVEILLE_PREFIX='{}'\nREVEILLE_RUNNER_KEY='{}'\nREVEILLE_RUNNER_SHA256='{}'\n",
            self.bucket, self.prefix, self.runner_key, self.runner_sha256
        )
    }
}

fn is_sha256(digits: &str) -> bool {
    digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_bucket(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| inner(b) || b == b'-' || b == b'.')
        && name.bytes().next().is_some_and(inner)
        && name.bytes().next_back().is_some_and(inner)
}

fn is_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._=-".contains(&b);
    key.len() <= MAX_KEY && key.split('/').all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preamble() -> Preamble {
        Preamble {
            bucket: "my-bucket.of-data1".to_owned(),
            prefix: "team/stack-1/".to_owned(),
            runner_key: "team/stack-1/runner/reveille-runner".to_owned(),
            runner_sha256: "0123456789abcdef".repeat(4),
        }
    }

    #[test]
    fn the_settings_take_the_place_of_the_marker() {
        let script = render(ON_START, &preamble()).unwrap();
        assert!(script.starts_with("#!/bin/bash\n"));
        assert!(script.contains("\nREVEILLE_BUCKET='my-bucket.of-data1'\nREVEILLE_PREFIX='team/stack-1/'\n"));
        assert!(!script.contains("--- preamble ---"));
        let no_prefix = Preamble { prefix: String::new(), ..preamble() };
        assert!(render(ON_START, &no_prefix).unwrap().contains("\nREVEILLE_PREFIX=''\n"));
        let of_the_stack = Preamble { runner_key: String::new(), runner_sha256: String::new(), ..preamble() };
        let settings = "\nREVEILLE_RUNNER_KEY=''\nREVEILLE_RUNNER_SHA256=''\n";
        assert!(render(ON_START, &of_the_stack).unwrap().contains(settings));
    }

    #[test]
    fn the_real_script_has_room_for_the_longest_settings() {
        let key = |length: usize| "k".repeat(length);
        let longest =
            Preamble { bucket: key(63), prefix: key(1023) + "/", runner_key: key(MAX_RUNNER_KEY), ..preamble() };
        let size = render(ON_START, &longest).unwrap().len().div_ceil(3) * 4;
        assert!(size <= MAX_BASE64, "{size}");
    }

    #[test]
    fn hostile_settings_are_refused() {
        let hostile = ["'; reboot #", "a'b", "$(id)", "`id`", "a\nb", "a b", "../x/", "/x/", "a//b/", "é/", "a\0b"];
        for value in hostile {
            let value = value.to_owned();
            for (setting, changed) in [
                ("REVEILLE_BUCKET", Preamble { bucket: value.clone(), ..preamble() }),
                ("REVEILLE_PREFIX", Preamble { prefix: value.clone(), ..preamble() }),
                ("REVEILLE_RUNNER_KEY", Preamble { runner_key: value.clone(), ..preamble() }),
                ("REVEILLE_RUNNER_SHA256", Preamble { runner_sha256: value.clone(), ..preamble() }),
            ] {
                let error = render(ON_START, &changed).unwrap_err();
                assert!(matches!(error, RenderError::Setting { setting: named, .. } if named == setting), "{error}");
            }
        }
        for bucket in ["", "ab", "Upper", "-a-b", "a.b.", &"a".repeat(64)] {
            assert!(render(ON_START, &Preamble { bucket: bucket.to_owned(), ..preamble() }).is_err(), "{bucket}");
        }
        assert!(render(ON_START, &Preamble { runner_sha256: "A".repeat(64), ..preamble() }).is_err());
        for half in [
            Preamble { runner_key: String::new(), ..preamble() },
            Preamble { runner_sha256: String::new(), ..preamble() },
        ] {
            assert!(render(ON_START, &half).is_err(), "a checksum belongs to a key");
        }
        assert!(render(ON_START, &Preamble { runner_key: "k".repeat(129), ..preamble() }).is_err());
        assert!(render(ON_START, &Preamble { prefix: "no-slash".to_owned(), ..preamble() }).is_err());
    }

    #[test]
    fn a_broken_body_is_refused() {
        let reason = |body: &str| render(body, &preamble()).unwrap_err().to_string();
        assert!(reason("echo\n").contains("first line"));
        assert!(reason("#!/bin/bash\necho\r\n").contains("CR"));
        assert!(reason("#!/bin/bash\necho\n").contains("exactly one"));
        assert!(reason(&format!("#!/bin/bash\n{PLACE}{PLACE}")).contains("exactly one"));
        let large = format!("#!/bin/bash\n{PLACE}{}", "# x\n".repeat(4_000));
        assert!(matches!(render(&large, &preamble()), Err(RenderError::TooLarge { size }) if size > MAX_BASE64));
    }
}
