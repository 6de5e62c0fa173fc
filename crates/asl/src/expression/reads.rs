//! What an expression reads from outside itself, found by walking its syntax tree.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

/// The outside of an expression, as far as it reads it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reads {
    /// Variables that nothing inside the expression binds, without their `$`; `states` is not among them.
    pub variables: BTreeSet<String>,
    /// Functions that are called and that nothing inside the expression binds, without their `$`.
    pub functions: BTreeSet<String>,
    /// Names of functions that are read as values, without their `$`: `$map(x, $string)`. A variable may have such a
    /// name, and then takes the function's place.
    pub function_values: BTreeSet<String>,
    /// The parts of `$states` it reads (`input`, `context`, `result`, `errorOutput`), the first name after `$states.`.
    pub states: BTreeSet<String>,
    /// Whether it reads `$states` as a whole, or through something other than a name.
    pub whole_states: bool,
    /// Whether it reads `$$`, or `$` where nothing gives it a value. Step Functions gives expressions no input
    /// document, so this is nothing at all.
    pub input_document: bool,
    /// An operator that came after the version of `JSONata` that Step Functions runs.
    pub newer_operator: Option<&'static str>,
}

impl Reads {
    /// Walks `ast`.
    #[must_use]
    pub fn of(ast: &AstNode) -> Self {
        let mut walk = Walk { reads: Self::default(), frames: vec![BTreeSet::new()], context_depth: 0 };
        walk.node(ast);
        walk.reads
    }
}

/// The state of one walk: what was found, the names bound by the blocks and functions around the current node, and
/// how many of them give `$` a value.
struct Walk {
    reads: Reads,
    frames: Vec<BTreeSet<String>>,
    context_depth: usize,
}

impl Walk {
    fn node(&mut self, node: &AstNode) {
        match node {
            AstNode::Variable(name) => self.variable(name),
            AstNode::ParentVariable(_) => self.reads.input_document = true,
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op, lhs, rhs } => self.binary(*op, lhs, rhs),
            AstNode::Unary { operand, .. } => self.node(operand),
            AstNode::Function { name, args, .. } => {
                self.function(name);
                self.nodes(args);
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure);
                self.nodes(args);
            }
            AstNode::Lambda { params, body, .. } => self.lambda(params, body),
            AstNode::Array(items) | AstNode::ArrayGroup(items) => self.nodes(items),
            AstNode::Block(items) => self.framed(|walk| walk.nodes(items)),
            AstNode::Object(pairs) => self.pairs(pairs),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input);
                self.with_context(|walk| walk.pairs(pattern));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition);
                self.node(then_branch);
                if let Some(otherwise) = else_branch {
                    self.node(otherwise);
                }
            }
            AstNode::FunctionApplication(inner) => self.node(inner),
            AstNode::Sort { input, terms } => {
                self.node(input);
                self.with_context(|walk| terms.iter().for_each(|(term, _)| walk.node(term)));
            }
            AstNode::Transform { location, update, delete } => self.with_context(|walk| {
                walk.node(location);
                walk.node(update);
                if let Some(delete) = delete {
                    walk.node(delete);
                }
            }),
            AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn nodes(&mut self, nodes: &[AstNode]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn pairs(&mut self, pairs: &[(AstNode, AstNode)]) {
        for (key, value) in pairs {
            self.node(key);
            self.node(value);
        }
    }

    fn variable(&mut self, name: &str) {
        if name.is_empty() {
            self.reads.input_document |= self.context_depth == 0;
        } else if self.is_bound(name) {
        } else if name == "states" {
            self.reads.whole_states = true;
        } else if super::is_known_function(name) {
            self.reads.function_values.insert(name.to_owned());
        } else {
            self.reads.variables.insert(name.to_owned());
        }
    }

    fn function(&mut self, name: &str) {
        if !self.is_bound(name) {
            self.reads.functions.insert(name.to_owned());
        }
    }

    /// `$states.input.x`: the second step names the part of `$states`. The steps after the first have a context.
    fn path(&mut self, steps: &[PathStep]) {
        let Some((first, rest)) = steps.split_first() else {
            return;
        };
        self.frames.push(BTreeSet::new());
        match (&first.node, rest.first().map(|step| &step.node)) {
            (AstNode::Variable(name), Some(AstNode::Name(part)))
                if name == "states" && !self.is_bound(name) && first.stages.is_empty() =>
            {
                self.reads.states.insert(part.clone());
            }
            (AstNode::Name(_) | AstNode::Wildcard | AstNode::Descendant, _) => {
                self.reads.input_document |= self.context_depth == 0;
            }
            (node, _) => self.node(node),
        }
        self.with_context(|walk| {
            walk.step_bindings(first);
            for step in rest {
                walk.node(&step.node);
                walk.step_bindings(step);
            }
        });
        self.frames.pop();
    }

    /// What `@$name`, `#$name` and the predicates of a step bind and read.
    fn step_bindings(&mut self, step: &PathStep) {
        for name in [&step.focus, &step.index_var].into_iter().flatten() {
            self.bind(name);
        }
        for stage in &step.stages {
            match stage {
                Stage::Filter(predicate) => self.node(predicate),
                Stage::Index(name) => self.bind(name),
                Stage::KeepArray => {}
            }
        }
    }

    fn binary(&mut self, op: BinaryOp, lhs: &AstNode, rhs: &AstNode) {
        if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, lhs) {
            // A function may call itself by the name it is bound to; a plain value may not read itself.
            if matches!(rhs, AstNode::Lambda { .. }) {
                self.bind(name);
            }
            self.node(rhs);
            self.bind(name);
        } else {
            match op {
                BinaryOp::Coalesce => self.reads.newer_operator = Some("??"),
                BinaryOp::Default => self.reads.newer_operator = Some("?:"),
                _ => {}
            }
            self.node(lhs);
            self.node(rhs);
        }
    }

    fn lambda(&mut self, params: &[String], body: &AstNode) {
        self.framed(|walk| {
            for param in params {
                walk.bind(param);
            }
            walk.with_context(|walk| walk.node(body));
        });
    }

    fn framed(&mut self, inside: impl FnOnce(&mut Self)) {
        self.frames.push(BTreeSet::new());
        inside(self);
        self.frames.pop();
    }

    fn with_context(&mut self, inside: impl FnOnce(&mut Self)) {
        self.context_depth += 1;
        inside(self);
        self.context_depth -= 1;
    }

    fn bind(&mut self, name: &str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.insert(name.trim_start_matches('$').to_owned());
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    fn variables(source: &str) -> Vec<String> {
        let expression = Expression::compile(source).unwrap();
        expression.reads().variables.iter().cloned().collect()
    }

    #[test]
    fn a_variable_bound_inside_is_not_read_from_outside() {
        assert_eq!(variables("($y := 2; $y + $x)"), ["x"]);
        assert_eq!(variables("function($a){$a + $b}(1)"), ["b"]);
        assert_eq!(variables("$map([1], function($v, $i){ $v + $k })"), ["k"]);
        assert!(variables("($f := function($n){ $f($n - 1) }; $f(3))").is_empty());
    }

    #[test]
    fn a_binding_does_not_outlive_its_block() {
        assert_eq!(variables("($y := 1; $y) + $y"), ["y"]);
    }

    #[test]
    fn a_value_does_not_see_its_own_binding() {
        assert_eq!(variables("($x := $x + 1; $x)"), ["x"]);
    }

    #[test]
    fn predicates_and_grouping_are_walked() {
        assert_eq!(variables("$states.input.a[b = $c]"), ["c"]);
        assert_eq!(variables("$x{a: $b}"), ["b", "x"]);
        assert_eq!(variables("$states.input.a#$i.($i + $z)^(b)"), ["z".to_owned()]);
    }

    #[test]
    fn the_parts_of_states_are_named() {
        let expression = Expression::compile("$states.input.a & $states.context.Execution.Id").unwrap();
        let parts: Vec<_> = expression.reads().states.iter().cloned().collect();
        assert_eq!(parts, ["context", "input"]);
        assert!(!expression.reads().whole_states);
        assert!(Expression::compile("$string($states)").unwrap().reads().whole_states);
    }

    #[test]
    fn the_missing_input_document_is_seen() {
        for (source, reads_it) in [
            ("$$", true),
            ("$", true),
            ("status = 'ready'", true),
            ("$states.input.a[status = 'ready']", false),
            ("$states.input.a[$ > 1]", false),
            ("$sum($states.input.a.($ * 2))", false),
        ] {
            let expression = Expression::compile(source).unwrap();
            assert_eq!(expression.reads().input_document, reads_it, "{source}");
        }
    }

    #[test]
    fn functions_are_named() {
        let expression = Expression::compile("$map([1], $string) ~> $nope()").unwrap();
        let functions: Vec<_> = expression.reads().functions.iter().cloned().collect();
        assert_eq!(functions, ["map", "nope"]);
        assert!(expression.reads().function_values.contains("string"));
    }
}
