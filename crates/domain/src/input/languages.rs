//! The languages of kernels that go by a well-known name, and what each cannot be given: so that nobody pays for an instance to be
//! told of it. Other kernels, and what only a specification says, are known on the instance, where the engine looks before the
//! first cell (`languages.py` and `words.py` of its driver, to which a test holds these words).

use serde_json::{Map, Value};

/// A language, its kernels and its words.
#[expect(clippy::struct_excessive_bools, reason = "a table of what languages have")]
pub struct Language {
    /// As people write it.
    pub name: &'static str,
    /// Names of kernels, in lower case: Jupyter takes each case for one name.
    pub kernels: &'static [&'static str],
    /// What a kernel's name has of which no other language has a kernel.
    pub parts: &'static [&'static str],
    /// Names that no variable can have, with spaces between them.
    reserved: &'static str,
    /// Whether no name begins with an underscore.
    pub no_leading_underscore: bool,
    /// Whether its only values are texts, numbers and lists of these.
    pub flat: bool,
    /// Whether a text can hold U+0000.
    pub holds_nul: bool,
    /// Whether there is a null.
    pub has_null: bool,
}

/// A language that takes every name and value but its reserved words.
const ANY: Language = Language {
    name: "",
    kernels: &[],
    parts: &[],
    reserved: "",
    no_leading_underscore: false,
    flat: false,
    holds_nul: true,
    has_null: true,
};

/// The languages whose kernels are known by name: `IRkernel::installspec()` installs `ir`, `python -m bash_kernel.install` `bash`, `IJulia`
/// `julia-1.11`, Almond `scala`, MATLAB's makers `jupyter_matlab_kernel`, .NET Interactive `.net-csharp` and `.net-fsharp`, sparkmagic its
/// three; the environments of `SageMaker` that are named here have Python.
pub const LANGUAGES: [Language; 8] = [
    Language {
        name: "Python",
        parts: &[
            "python",
            "pyspark",
            "ipykernel",
            "conda_pytorch",
            "conda_tensorflow",
            "conda_mxnet",
            "conda_anaconda",
        ],
        reserved: PYTHON_KEYWORDS,
        ..ANY
    },
    Language {
        name: "R",
        kernels: &["ir", "sparkrkernel"],
        reserved: R_WORDS,
        no_leading_underscore: true,
        holds_nul: false,
        ..ANY
    },
    Language { name: "bash", kernels: &["bash"], reserved: BASH_WORDS, flat: true, holds_nul: false, ..ANY },
    Language { name: "Julia", parts: &["julia-"], reserved: JULIA_WORDS, ..ANY },
    Language { name: "Scala", kernels: &["scala", "sparkkernel"], reserved: SCALA_WORDS, ..ANY },
    Language {
        name: "MATLAB",
        kernels: &["matlab", "jupyter_matlab_kernel"],
        reserved: MATLAB_WORDS,
        no_leading_underscore: true,
        ..ANY
    },
    Language { name: "C#", kernels: &[".net-csharp"], reserved: CSHARP_WORDS, has_null: false, ..ANY },
    Language { name: "F#", kernels: &[".net-fsharp"], reserved: FSHARP_WORDS, ..ANY },
];

impl Language {
    /// The language of a kernel, where its name tells it. Without one, the notebook's own kernel is asked for, which nearly always is
    /// Python's.
    #[must_use]
    pub fn of_kernel(kernel: Option<&str>) -> Option<&'static Self> {
        let Some(kernel) = kernel else { return LANGUAGES.first() };
        let kernel = kernel.to_ascii_lowercase();
        LANGUAGES.iter().find(|language| {
            language.kernels.contains(&kernel.as_str()) || language.parts.iter().any(|part| kernel.contains(part))
        })
    }

    /// Names that no variable can have.
    pub fn reserved(&self) -> impl Iterator<Item = &'static str> {
        self.reserved.split(' ')
    }

    /// Why no variable can have this name.
    pub(super) fn why_not_name(&self, name: &str) -> Option<String> {
        if self.reserved().any(|reserved| reserved == name) {
            let word = if self.name == "Python" { "keyword" } else { "reserved word" };
            let article = if self.name == "R" { "an" } else { "a" };
            return Some(format!("is {article} {} {word} and cannot be a variable", self.name));
        }
        (self.no_leading_underscore && name.starts_with('_'))
            .then(|| format!("begins with an underscore, which no variable of {} does", self.name))
    }

    /// What of a value the language has no form of.
    pub(super) fn lacks(&self, value: &Value) -> Option<&'static str> {
        match value {
            Value::String(text) => self.lacks_text(text),
            Value::Array(_) if self.flat => self.lacks_in_list(value),
            Value::Array(items) => items.iter().find_map(|item| self.lacks(item)),
            Value::Object(_) if self.flat => Some("an object"),
            Value::Object(fields) => self.lacks_in_object(fields),
            Value::Null => (!self.has_null).then_some("null"),
            Value::Bool(_) | Value::Number(_) => None,
        }
    }

    fn lacks_in_list(&self, list: &Value) -> Option<&'static str> {
        list.as_array().into_iter().flatten().find_map(|item| match item {
            Value::Array(_) => Some("a list in a list"),
            other => self.lacks(other),
        })
    }

    fn lacks_in_object(&self, fields: &Map<String, Value>) -> Option<&'static str> {
        fields.iter().find_map(|(name, value)| self.lacks_text(name).or_else(|| self.lacks(value)))
    }

    fn lacks_text(&self, text: &str) -> Option<&'static str> {
        (!self.holds_nul && text.contains('\0')).then_some("a text with the character U+0000")
    }
}

/// What Python does not let anyone assign. Its soft keywords (`match`, `case`, `type`, `_`) can be assigned.
const PYTHON_KEYWORDS: &str = "False None True __debug__ and as assert async await break class continue def del elif else except finally \
    for from global if import in is lambda nonlocal not or pass raise return try while with yield";
const R_WORDS: &str = "FALSE Inf NA NA_character_ NA_complex_ NA_integer_ NA_real_ NULL NaN TRUE break else for function if in next \
    repeat while";
const JULIA_WORDS: &str = "baremodule begin break catch const continue do else elseif end export false finally for function global if \
    import let local macro module quote return struct true try using while";
const SCALA_WORDS: &str = "_ abstract case catch class def do else extends false final finally for forSome if implicit import lazy \
    match new null object override package private protected return sealed super this throw trait true try type \
    val var while with yield";
const MATLAB_WORDS: &str = "break case catch classdef continue else elseif end for function global if otherwise parfor persistent return \
    spmd switch try while";
/// Variables that bash does not let anyone set, computes, executes or sets itself.
const BASH_WORDS: &str = "BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_ENV BASH_LINENO \
    BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_VERSION BASH_XTRACEFD COMP_WORDBREAKS DIRSTACK ENV \
    EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD IFS LINENO OPTIND POSIXLY_CORRECT PPID \
    PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 RANDOM SECONDS SHELLOPTS SRANDOM UID _";
const CSHARP_WORDS: &str = "abstract as base bool break byte case catch char checked class const continue decimal default delegate do \
    double else enum event explicit extern false finally fixed float for foreach goto if implicit in int \
    interface internal is lock long namespace new null object operator out override params private protected \
    public readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true \
    try typeof uint ulong unchecked unsafe ushort using virtual void volatile while";
const FSHARP_WORDS: &str = "abstract and as assert base begin class const default delegate do done downcast downto elif else end \
    exception extern false finally fixed for fun function global if in inherit inline interface internal lazy \
    let match member module mutable namespace new not null of open or override private public rec return select \
    static struct then to true try type upcast use val void when while with yield _";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// What the engine's driver knows: `"julia": "baremodule begin "` and further pieces on the lines below.
    const WORDS: &str = include_str!("../../../notebook/src/driver/reveille_driver/words.py");

    fn of_the_driver(language: &str) -> BTreeSet<&'static str> {
        let language = match language {
            "C#" => ".net-csharp".to_owned(),
            "F#" => ".net-fsharp".to_owned(),
            other => other.to_lowercase(),
        };
        let begin = format!("\n    \"{language}\": \"");
        let reserved = &WORDS[WORDS.find("RESERVED = {").unwrap()..];
        let list = &reserved[reserved.find(&begin).unwrap() + begin.len()..];
        list[..list.find("\",\n").unwrap()].split(['"', ' ', '\n']).filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn the_driver_has_the_same_words() {
        for language in &LANGUAGES {
            let ours: BTreeSet<&str> = language.reserved().collect();
            assert_eq!(ours, of_the_driver(language.name), "{}", language.name);
        }
    }

    #[test]
    fn a_kernel_is_known_by_its_name_where_that_is_certain() {
        let named = |kernel: &str| Language::of_kernel(Some(kernel)).map(|language| language.name);
        for (kernel, language) in [
            ("python3", Some("Python")),
            ("conda_python3", Some("Python")),
            ("conda_pytorch_p310", Some("Python")),
            ("pysparkkernel", Some("Python")),
            ("sparkkernel", Some("Scala")),
            ("IR", Some("R")),
            ("bash", Some("bash")),
            ("julia-1.11", Some("Julia")),
            ("conda_R", None),
            ("conda_geo", None),
            (".net-csharp", Some("C#")),
            (".net-fsharp", Some("F#")),
            ("scala", Some("Scala")),
            ("sparkrkernel", Some("R")),
            ("MATLAB", Some("MATLAB")),
            ("jupyter_matlab_kernel", Some("MATLAB")),
            ("mirror", None),
        ] {
            assert_eq!(named(kernel), language, "{kernel}");
        }
        assert_eq!(Language::of_kernel(None).unwrap().name, "Python");
    }

    #[test]
    fn a_name_that_no_variable_can_have_is_told_with_its_reason() {
        let of = |kernel: &str, name: &str| Language::of_kernel(Some(kernel)).unwrap().why_not_name(name);
        let underscore = |language: &str| format!("begins with an underscore, which no variable of {language} does");
        for (kernel, name, why) in [
            ("python3", "class", Some("is a Python keyword and cannot be a variable".to_owned())),
            ("ir", "NULL", Some("is an R reserved word and cannot be a variable".to_owned())),
            ("bash", "UID", Some("is a bash reserved word and cannot be a variable".to_owned())),
            ("ir", "_day", Some(underscore("R"))),
            ("matlab", "_day", Some(underscore("MATLAB"))),
            ("python3", "_day", None),
            ("bash", "_day", None),
            ("julia-1.11", "_day", None),
            ("scala", "_day", None),
            (".net-csharp", "_day", None),
            (".net-fsharp", "_day", None),
            ("ir", "day_", None),
        ] {
            assert_eq!(of(kernel, name), why, "{kernel} {name}");
        }
    }

    #[test]
    fn what_a_language_lacks_is_found_at_any_depth() {
        let of = |kernel: &str, value: Value| Language::of_kernel(Some(kernel)).unwrap().lacks(&value);
        assert_eq!(of("bash", json!({})), Some("an object"));
        assert_eq!(of("bash", json!([1, {"a": 1}])), Some("an object"));
        assert_eq!(of("bash", json!([1, [2]])), Some("a list in a list"));
        assert_eq!(of("bash", json!(["a\0"])), Some("a text with the character U+0000"));
        assert_eq!(of("bash", json!([1, null, "a", true])), None);
        assert_eq!(of("ir", json!([{"a\0": 1}])), Some("a text with the character U+0000"));
        assert_eq!(of("ir", json!([{"a": [null]}])), None);
        assert_eq!(of(".net-csharp", json!([{"a": null}])), Some("null"));
        assert_eq!(of("python3", json!({"a": ["\0"]})), None);
    }
}
