"""Libraries that stay unloaded, because nothing of what they do is needed here: half of a small notebook's time was their loading.

Two ways: a module that is not there, for whoever can do without; and one that stands in its place, and gives way to the
real one as soon as it is asked for more than it knows.
"""

import importlib
import importlib.util
import re
import sys
import types

# Not to be loaded, though it is there; whoever asks for it can do without.
NEEDLESS = (
    # By jsonschema, for checks of formats that no notebook has; the first alone takes a second.
    "rfc3987_syntax",
    "rfc3987",
    "rfc3986_validator",
    "rfc3339_validator",
    "isoduration",
    "fqdn",
    "uri_template",
    "webcolors",
    # By the page's parser of HTML, to guess how bytes are encoded; it is given texts. Some 3 MiB.
    "cchardet",
    "chardet",
    "charset_normalizer",
)
# What the page's three selectors are made of: elements by name, class or a missing attribute, inside of one another.
STEP = re.compile(r"(?P<name>[a-z][a-z0-9]*)?(?:\.(?P<kind>[A-Za-z][\w-]*))?(?::not\(\[(?P<lacks>[a-z]+)\]\))?")
SANITIZE = "nbconvert.preprocessors.sanitize"


def spare(sanitizes):
    for name in NEEDLESS:
        sys.modules[name] = None
    nbformat_without_schemas()
    page_without_selectors()
    if not sanitizes:
        page_without_cleaning()


def package_alone(name):
    """A package as the place of its modules, without what it loads itself. Raises ImportError where it is not installed."""
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(f"No module named '{name}'")
        package = types.ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules[name] = package


class StandIn(types.ModuleType):
    """In a module's place until somebody asks for what it does not have."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(real(self.__name__), name)


def stand_in(name):
    """The module's place taken; None where it is loaded already."""
    if name in sys.modules:
        return None
    sys.modules[name] = StandIn(name)
    return sys.modules[name]


def real(name):
    """The module itself, loaded now."""
    # A copy, because another thread may load something.
    for held in list(sys.modules):
        if (held == name or held.startswith(name + ".")) and isinstance(sys.modules.get(held), StandIn):
            del sys.modules[held]
    return importlib.import_module(name)


def nbformat_without_schemas():
    """nbformat names jsonschema's classes when it is loaded, and uses them only to validate. Nothing here validates, but for
    a notebook in an old format: its reader asks for the real ones first."""
    module = stand_in("jsonschema")
    if module is None:
        return
    errors = stand_in("jsonschema.exceptions")
    module.exceptions = errors
    module.Draft4Validator = lambda *arguments, **named: real("jsonschema").Draft4Validator(*arguments, **named)
    errors.ErrorTree = lambda *arguments, **named: real("jsonschema.exceptions").ErrorTree(*arguments, **named)
    module.ErrorTree = errors.ErrorTree
    # A class, because nbformat derives one from it.
    module.ValidationError = errors.ValidationError = type("ValidationError", (Exception,), {})


def page_without_cleaning():
    """nbconvert cleans the code that it has coloured itself, and the rest only for a page that is asked to be sanitized.
    What cleans is a parser of HTML and one of CSS, and brings TLS."""
    stand_in("bleach")
    module = stand_in(SANITIZE)
    if module is not None:
        module._get_default_css_sanitizer = lambda: real(SANITIZE)._get_default_css_sanitizer()


def page_without_selectors():
    """nbconvert looks for three kinds of elements by selectors of CSS. soupsieve compiles some 80 patterns to read them."""
    module = stand_in("soupsieve")
    if module is None:
        return
    module.SoupSieve = type("SoupSieve", (), {})
    module.select = select


def select(selector, tag, namespaces=None, limit=0, flags=0, **named):
    """The elements below the tag that the selector means, in their order."""
    steps = [STEP.fullmatch(part) for part in selector.split(" ")] if isinstance(selector, str) else [None]
    if not all(steps) or not all(step.group() for step in steps) or limit or flags or named:
        return real("soupsieve").select(selector, tag, namespaces, limit, flags, **named)
    *outer, last = steps
    return [element for element in tag.find_all(last["name"] or True) if fits(element, last) and inside(element, outer)]


def fits(element, step):
    return (
        (not step["name"] or element.name == step["name"])
        and (not step["kind"] or step["kind"] in classes(element))
        and (not step["lacks"] or not element.has_attr(step["lacks"]))
    )


def classes(element):
    value = element.get("class") or ()
    return value.split() if isinstance(value, str) else value


def inside(element, outer):
    """Whether the element's ancestors hold these, the outermost first."""
    remaining = list(outer)
    for parent in element.parents:
        if not remaining:
            break
        if fits(parent, remaining[-1]):
            remaining.pop()
    return not remaining
