//! Patterns with asterisks, as EventBridge has them for keys and IAM for the names of instances.

/// Whether a text is like a pattern, in which `*` stands for any characters, none too.
pub(crate) fn matches(wildcard: &str, key: &str) -> bool {
    let (Some((first, rest)), Some((_, last))) = (wildcard.split_once('*'), wildcard.rsplit_once('*')) else {
        return wildcard == key;
    };
    let Some(mut left) = key.strip_prefix(first).and_then(|left| left.strip_suffix(last)) else { return false };
    let between = rest.strip_suffix(last).unwrap_or_default();
    // The first place of each part leaves the most for those after it.
    between.split('*').all(|part| {
        let found = left.split_once(part);
        left = found.map_or(left, |(_, after)| after);
        found.is_some()
    })
}
