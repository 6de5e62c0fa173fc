//! How a shell reads the characters of a command: which are quoted, and so neither end the command nor part its words.

/// Where a character is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between or in the words of the command itself.
    Open,
    /// In those of a command within it: `$(...)`, or `(...)` at its beginning.
    Within,
    /// In quotes, or behind a backslash.
    Quoted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// `'...'`: all is as it stands.
    Single,
    /// `$'...'`: a backslash keeps a quote from ending it.
    Ansi,
    /// `"..."`: a backslash does the same, and `$(` opens a command.
    Double,
    Parenthesis,
}

/// The characters of a command, and where each begins and is. A quote itself is quoted.
pub(crate) fn places(command: &str) -> impl Iterator<Item = (usize, char, Place)> {
    let (mut opened, mut before, mut is_escaped): (Vec<Opened>, Option<char>, bool) = (Vec::new(), None, false);
    command.char_indices().map(move |(at, sign)| {
        let top = opened.last().copied();
        let is_code = matches!(top, None | Some(Opened::Parenthesis)) && !is_escaped && !matches!(sign, '\'' | '"');
        let place = match is_code {
            true if opened.is_empty() => Place::Open,
            true => Place::Within,
            false => Place::Quoted,
        };
        let is_plain = !std::mem::take(&mut is_escaped);
        match (top, sign) {
            _ if !is_plain => {}
            (Some(Opened::Single | Opened::Ansi), '\'')
            | (Some(Opened::Double), '"')
            | (Some(Opened::Parenthesis), ')') => {
                opened.pop();
            }
            (Some(Opened::Single), _) => {}
            (_, '\\') => is_escaped = true,
            (Some(Opened::Ansi), _) => {}
            (_, '(') if before == Some('$') || at == 0 => opened.push(Opened::Parenthesis),
            (Some(Opened::Double), _) => {}
            (_, '\'') => opened.push(if before == Some('$') { Opened::Ansi } else { Opened::Single }),
            (_, '"') => opened.push(Opened::Double),
            _ => {}
        }
        before = is_plain.then_some(sign);
        (at, sign, place)
    })
}

#[cfg(test)]
mod tests {
    use super::{Place, places};

    #[test]
    fn what_is_quoted_is_what_a_shell_takes_as_it_is() {
        for (command, marks) in [
            ("a 'b c' d", "..qqqqq.."),
            (r"'it'\''s' x", "qqqq.qqqq.."),
            (r"$'a\'b' c", ".qqqqqq.."),
            (r#""a \" b" c"#, "qqqqqqqq.."),
            (r#"x "$(y 'z w')" v"#, "..qqqwwqqqqqwq.."),
            ("(cd d) x", ".wwwww.."),
            ("a (b)", "....."),
            (r"a\ b", "..q."),
        ] {
            let read: String = places(command)
                .map(|(_, _, place)| match place {
                    Place::Open => '.',
                    Place::Within => 'w',
                    Place::Quoted => 'q',
                })
                .collect();
            assert_eq!(read, marks, "{command}");
        }
    }
}
