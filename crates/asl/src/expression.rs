//! `JSONata` expressions as they appear in a definition: `{% ... %}`.
//!
//! Owns: telling an expression from a literal, compiling it once, and saying which variables, functions and parts of
//! `$states` it reads. Never does: gives those variables values; that is the interpreter's work.

mod reads;

use jsonata_core::ast::AstNode;

pub use reads::Reads;

/// The functions of the `JSONata` library that an expression may call without defining them.
///
/// Source: docs.jsonata.org (2.x); `$eval` is left out because Step Functions does not have it ("Transforming
/// data with `JSONata`": use `$parse`).
const LIBRARY_FUNCTIONS: &[&str] = &[
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parseInteger",
    "power",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "zip",
];

/// The functions that Step Functions adds ("Transforming data with `JSONata`", "`JSONata` functions provided by Step
/// Functions").
pub const STEP_FUNCTIONS: &[&str] = &["hash", "parse", "partition", "random", "range", "uuid"];

/// The version that Step Functions runs ("Transforming data with `JSONata`", "Supported `JSONata` version").
const SUPPORTED_VERSION: &str = "2.0.6";

/// Whether an expression may call `$name` without defining it.
#[must_use]
pub fn is_known_function(name: &str) -> bool {
    LIBRARY_FUNCTIONS.contains(&name) || STEP_FUNCTIONS.contains(&name)
}

/// The text between `{%` and `%}`, trimmed; `None` when `text` is a literal.
///
/// A string with anything before `{%` or after `%}`, a space too, is a literal for AWS.
#[must_use]
pub fn unwrap(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// One compiled expression.
#[derive(Debug)]
pub struct Expression {
    source: String,
    ast: AstNode,
    reads: Reads,
}

/// An expression that is not `JSONata`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the JSONata expression '{source_text}' does not compile: {reason}: correct it")]
pub struct CompileError {
    /// The expression, without its delimiters.
    pub source_text: String,
    /// The compiler's own words.
    pub reason: String,
}

impl Expression {
    /// Compiles the text between `{%` and `%}`.
    ///
    /// # Errors
    /// [`CompileError`] when it is not `JSONata`.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let ast = jsonata_core::parser::parse(source)
            .map_err(|error| CompileError { source_text: source.to_owned(), reason: error.to_string() })?;
        let reads = Reads::of(&ast);
        if let Some(operator) = reads.newer_operator {
            let reason =
                format!("the operator {operator} is newer than JSONata {SUPPORTED_VERSION}, which Step Functions runs");
            return Err(CompileError { source_text: source.to_owned(), reason });
        }
        Ok(Self { source: source.to_owned(), ast, reads })
    }

    /// The text between the delimiters, trimmed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled form.
    #[must_use]
    pub fn ast(&self) -> &AstNode {
        &self.ast
    }

    /// What it reads from outside itself.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The number, when the whole expression is one number literal.
    #[must_use]
    pub fn constant_number(&self) -> Option<f64> {
        match &self.ast {
            AstNode::Number(number) => Some(*number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_string_is_an_expression() {
        assert_eq!(unwrap("{% $a %}"), Some("$a"));
        assert_eq!(unwrap("{%$a%}"), Some("$a"));
        assert_eq!(unwrap(" {% $a %} "), None);
        assert_eq!(unwrap("x {% $a %}"), None);
        assert_eq!(unwrap("$a"), None);
    }

    #[test]
    fn a_broken_expression_says_where() {
        let error = Expression::compile("$a +").unwrap_err();
        assert_eq!(error.source_text, "$a +");
        assert!(!error.reason.is_empty());
    }

    #[test]
    fn operators_that_came_later_are_refused() {
        for (source, operator) in [("$a ?? 1", "??"), ("[$a ?: 1]", "?:")] {
            assert!(Expression::compile(source).unwrap_err().reason.contains(operator), "{source}");
        }
        assert!(Expression::compile("$a ? 1 : 2").is_ok());
    }

    #[test]
    fn a_number_is_a_constant() {
        assert_eq!(Expression::compile("30").unwrap().constant_number(), Some(30.0));
        assert_eq!(Expression::compile("30 + $a").unwrap().constant_number(), None);
    }
}
