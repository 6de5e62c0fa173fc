"""Evaluates the conditions of CloudFormation's templates as AWS does.

ministack does not look up `Fn::FindInMap` in a condition, and lists resources in a change set although their conditions do not
hold. Both are put right here. A lookup's keys may be texts and parameters; no template of ours looks up by a pseudo parameter.
"""


def looked_up(node, parameters, find):
    """Conditions in which each lookup is replaced by what it finds. `find`: of a lookup's arguments, what the mapping holds."""
    if isinstance(node, list):
        return [looked_up(item, parameters, find) for item in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::FindInMap"}:
        return find([value_of(argument, parameters) for argument in looked_up(node["Fn::FindInMap"], parameters, find)])
    return {name: looked_up(value, parameters, find) for name, value in node.items()}


def value_of(argument, parameters):
    """A lookup's argument: a text, or a parameter's value."""
    if isinstance(argument, dict) and set(argument) == {"Ref"} and argument["Ref"] in parameters:
        return parameters[argument["Ref"]]["Value"]
    return argument


def existing(resources, conditions):
    """The resources whose conditions hold."""
    return {name: it for name, it in resources.items() if conditions.get(it.get("Condition"), True)}


def install():
    """Puts both in the place of ministack's own."""
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    evaluate, resolve = engine._evaluate_conditions, changesets._resolve_props_for_diff

    def evaluated(template, parameters):
        mappings = template.get("Mappings", {})

        def find(arguments):
            return engine.find_in_map(arguments, mappings, lambda argument: argument)

        conditions = looked_up(template.get("Conditions", {}), parameters, find)
        return evaluate({**template, "Conditions": conditions}, parameters)

    def resolved(template, parameters, stack_name, stack_id):
        known = resolve(template, parameters, stack_name, stack_id)
        if "Resources" not in known:
            return known
        return {**known, "Resources": existing(known["Resources"], evaluated(template, parameters))}

    for module in (engine, changesets, handlers, stacks):
        assert module._evaluate_conditions is evaluate
        module._evaluate_conditions = evaluated
    changesets._resolve_props_for_diff = resolved
