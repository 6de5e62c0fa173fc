//! What a person may have meant who typed a name that there is not.

/// The name that is the nearest to what was typed, if one is near.
pub(in crate::commands) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &str| distance(&typed.to_lowercase(), &name.to_lowercase());
    let (distance, name) = names.map(|name| (far(name), name)).min()?;
    // A third of the letters may be wrong: with more, it is another word.
    (distance * 3 <= typed.chars().count().max(3)).then_some(name)
}

/// Letters to put in, to leave out or to change, to make one word of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], index + 1);
        for (column, theirs) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *theirs);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn letters_are_counted() {
        for (one, other, letters) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }

    #[test]
    fn what_is_near_is_suggested_and_nothing_else() {
        let names = ["InstanceNames", "InstanceRoleArns", "RunsPrefix"];
        let near = |typed| nearest(typed, names.into_iter());
        assert_eq!(near("InstanceName"), Some("InstanceNames"));
        assert_eq!(near("instancenames"), Some("InstanceNames"));
        assert_eq!(near("RunPrefix"), Some("RunsPrefix"));
        assert_eq!(near("Colour"), None);
        assert_eq!(near(""), None);
    }
}
