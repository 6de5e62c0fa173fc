"""The page of a run that asks for `"html": "sanitized"`: nothing that a notebook shows runs where the page is opened.

Three layers, each enough for what is known today:
- nbconvert's own option cleans what its templates print as HTML. Its list has neither headings nor a table's head, so it is
  given a longer one.
- Its templates print some fields as they are (a picture's size, mermaid's text, the state of widgets). Only what they can
  print safely is left in the notebook.
- The page tells the browser to run no script and to load nothing.
"""

import html
import re

# Bound by the browser, whatever passed the rest. It stands before everything that a notebook brings in.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'"
HEAD = (
    """{%- block html_head -%}<meta http-equiv="Content-Security-Policy" content=\""""
    + POLICY
    + """\">{{ super() }}{%- endblock html_head -%}"""
)

TAGS = frozenset(
    """a abbr acronym b big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption
    figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody
    td tfoot th thead tr tt u ul var""".split()
)
EVERYWHERE = frozenset("align class dir id lang style title valign".split())
ATTRIBUTES = {
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "details": {"open"},
    "font": {"color", "face", "size"},
    "img": {"alt", "height", "width"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing", "width"},
    "td": {"colspan", "height", "rowspan", "width"},
    "th": {"colspan", "height", "rowspan", "scope", "width"},
}
SCHEMES = ("http", "https", "mailto")
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
# Their text is no text of the page.
WITH_CONTENT = ["applet", "embed", "iframe", "math", "noembed", "noframes", "noscript", "object", "script", "style", "svg"]
WITH_CONTENT += ["template", "textarea", "title", "xmp"]
MAY_HOLD_CONTENT = re.compile("<(" + "|".join(WITH_CONTENT) + ")", re.IGNORECASE)
# What the templates escape or clean, or show as a picture, in which no script runs.
SHOWN = ("text/html", "text/markdown", "text/latex", "text/plain", "image/png", "image/jpeg", "image/svg+xml")


def sanitize(notebook):
    """Leaves in the notebook only what nbconvert's templates print safely."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                sanitize_output(output)


def sanitize_output(output):
    kept = {"output_type", "name", "text", "traceback", "data", "metadata"}
    for key in set(output) - kept:
        del output[key]
    if "data" not in output:
        return
    for mime in list(output.data):
        if mime not in SHOWN or not isinstance(output.data[mime], str):
            del output.data[mime]
    told = output.get("metadata")
    told = told if isinstance(told, dict) else {}
    output.metadata = {mime: looks(told.get(mime, told)) for mime in ("image/png", "image/jpeg")}


def looks(told):
    """A picture's size and ground. The template puts a size into the page without quotes."""
    told = told if isinstance(told, dict) else {}
    kept = {key: told[key] for key in ("width", "height") if type(told.get(key)) in (int, float)}
    if told.get("unconfined") is True:
        kept["unconfined"] = True
    if told.get("needs_background") in ("light", "dark"):
        kept["needs_background"] = told["needs_background"]
    return kept


def cleaner():
    """The filter that takes the place of nbconvert's `clean_html`."""
    from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
    from bleach.sanitizer import Cleaner

    # A cursor is a picture to be loaded.
    styles = set(ALLOWED_CSS_PROPERTIES) - {"cursor"}
    for side in ("", "-top", "-right", "-bottom", "-left"):
        styles |= {f"border{side}", f"padding{side}", f"margin{side}"}
    styles |= {"max-width", "min-width"}
    bleach = Cleaner(
        tags=TAGS,
        attributes=is_allowed,
        protocols={*SCHEMES, "data"},
        strip=True,
        strip_comments=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=styles),
    )

    def clean(text):
        text = text.decode() if isinstance(text, bytes) else str(text)
        return bleach.clean(without_content(text))

    return clean


def without_content(text):
    """Only for the reader: bleach is what nothing passes."""
    if MAY_HOLD_CONTENT.search(text) is None:
        return text
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, features="html.parser")
    for element in soup.find_all(WITH_CONTENT):
        element.decompose()
    return str(soup)


def is_allowed(tag, name, value):
    if tag == "img" and name == "src":
        return PICTURE.fullmatch(value) is not None
    if tag == "a" and name == "href":
        return is_link(value)
    return name in EVERYWHERE or name in ATTRIBUTES.get(tag, ())


def is_link(value):
    """Whether it leads to a place, as a browser reads it: without the white space and the controls inside."""
    plain = re.sub(r"[\x00-\x20\x7f-\xa0]+", "", html.unescape(value)).lower()
    scheme = re.match(r"[^/?#:]*(?=:)", plain)
    return scheme is None or scheme[0] in SCHEMES
