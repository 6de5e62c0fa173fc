"""The literals of each language, by its reference: see literals.py for what holds for all. Python's are papermill's."""

import re

from reveille_driver.literals import PLAIN, Literals, Unwritable, are_alike, cut, escaped, escaped_ascii, nesting, utf16

# R's parser has room for 50 open brackets, some of them its own.
MOST_BRACKETS = 45


class R(Literals):
    """R language definition, "Literal constants", and `?Quotes`: `\\uXXXX` and `\\UXXXXXXXX` are characters in any locale; there is no
    U+0000. A name of a list that is written as an argument's goes through the locale, one in `names` does not."""

    title = "R"
    null, true, false = "NULL", "TRUE", "FALSE"
    open_any = open_same = "list("
    close = ")"
    holds_nul = False

    def why_not_name(self, name):
        # Papermill takes the underscores away, and the notebook finds no such variable.
        return "begins with _, as no name does in" if name.startswith("_") else super().why_not_name(name)

    def assign(self, name, value):
        line = super().assign(name, value)
        if nesting(line) > MOST_BRACKETS:
            raise Unwritable("lists or objects that are nested too deeply")
        return line

    def text(self, text):
        pieces = [escaped(piece) for piece in cut(text)]
        return pieces[0] if len(pieces) == 1 else f"paste0({', '.join(pieces)})"

    def pairs(self, value):
        written = self.keys_and_values(value)
        if all(key and len(key) < 200 and PLAIN.fullmatch(key) for key in value):
            return f"list({', '.join(f'{key} = {item}' for key, item in written)})"
        names, items = (", ".join(part) for part in zip(*written))
        return f"structure(list({items}), names = c({names}))"


class Julia(Literals):
    """Julia manual, "Strings": `$` begins an interpolation unless a backslash precedes it; `\\u` has up to four hexadecimal digits and
    `\\U` up to eight. A list or a Dict whose values differ in type would convert them to one that holds all (1 to 1.0)."""

    title = "Julia"
    used = ("Any", "Dict", "String", "nothing")
    null = "nothing"
    open_any = "Any["

    def why_not_name(self, name):
        return "has underscores alone, and cannot be read in" if not name.strip("_") else super().why_not_name(name)

    def text(self, text):
        return escaped(text, also="$")

    def pairs(self, value):
        written = ", ".join(f"{key} => {item}" for key, item in self.keys_and_values(value))
        return f"{'Dict' if are_alike(value.values()) else 'Dict{String, Any}'}({written})"


class Scala(Literals):
    """Scala language specification, "String literals" and "Unicode escapes": older compilers read `\\uXXXX` before anything else, so no
    character that means something to them is written so. A Seq of numbers would make all of them Doubles."""

    title = "Scala"
    used = ("Any", "Map", "None", "Seq")
    comment = "// Parameters"
    null = "None"
    wide = "L"
    open_any, open_same, close = "Seq[Any](", "Seq(", ")"
    CONTROL = re.compile(r"([\0-\x08\x0b\x0c\x0e-\x1f\x7f])")

    def text(self, text):
        parts = [part for piece in cut(text) for part in self.CONTROL.split(piece) if part]
        written = [f"{ord(part)}.toChar" if self.CONTROL.fullmatch(part) else self.quoted(part) for part in parts or [""]]
        return written[0] if len(written) == 1 and written[0][0] == '"' else f"Seq[Any]({', '.join(written)}).mkString"

    @staticmethod
    def quoted(text):
        return "".join(
            f"\\u{unit:04x}" if unit > 0x7E else chr(unit) for char in escaped_ascii(text) for unit in utf16(char)
        )

    def pairs(self, value):
        return f"Map({', '.join(f'{key} -> {item}' for key, item in self.keys_and_values(value))})"

    def assign(self, name, value):
        return f"val {name} = {self.value(value)}"


class Matlab(Literals):
    """MATLAB, "Text in String and Character Arrays": a doubled quote is the only escape of either; a number beside characters in
    brackets is the character with that code."""

    title = "MATLAB"
    used = ("NaN", "char", "containers", "false", "string", "true")
    comment = "% Parameters"
    null = "NaN"
    open_any = open_same = "{"
    close = "}"

    def why_not_name(self, name):
        if name.startswith("_"):
            return "begins with _, as no name does in"
        # namelengthmax
        return "has more than 63 characters, which is too long for" if len(name) > 63 else super().why_not_name(name)

    def assign(self, name, value):
        return f"{super().assign(name, value)};"

    def text(self, text):
        if PLAIN.fullmatch(text):
            return '"' + text.replace('"', '""') + '"'
        return f"string({self.characters(text)})"

    @staticmethod
    def characters(text):
        if PLAIN.fullmatch(text):
            return "'" + text.replace("'", "''") + "'"
        parts = [part for part in re.split(r"([^ -~]+)", text) if part]
        written = (
            "'" + part.replace("'", "''") + "'" if PLAIN.fullmatch(part) else " ".join(map(str, utf16(part)))
            for part in parts
        )
        return f"char([{' '.join(written)}])"

    def pairs(self, value):
        if not value:
            return "containers.Map('KeyType', 'char', 'ValueType', 'any')"
        keys = ", ".join(map(self.characters, value))
        items = ", ".join(map(self.value, value.values()))
        return f"containers.Map({{{keys}}}, {{{items}}}, 'UniformValues', false)"


class CSharp(Literals):
    """C# language specification, 6.4.5.6 "String literals": `\\uXXXX` and `\\UXXXXXXXX` have exactly so many digits."""

    title = "C#"
    used = ("System",)
    comment = "// Parameters"
    wide = "L"
    lacks = (type(None),)
    open_any, open_same, close = "new object[] { ", "new [] { ", " }"

    def text(self, text):
        return escaped(text)

    def items(self, value):
        return super().items(value) if value else "new object[] { }"

    def pairs(self, value):
        written = ", ".join(f"{{ {key}, {item} }}" for key, item in self.keys_and_values(value))
        return f"new System.Collections.Generic.Dictionary<string, object> {{ {written} }}"

    def assign(self, name, value):
        return f"var {name} = {self.value(value)};"


class FSharp(Literals):
    """F# language reference, "Strings": `\\uXXXX` and `\\UXXXXXXXX` have exactly so many digits; `$` and braces mean nothing here."""

    title = "F#"
    used = ("Map", "None", "System", "box")
    comment = "(* Parameters *)"
    null = "None"
    wide = "L"
    between = "; "

    def text(self, text):
        return escaped(text)

    def items(self, value):
        if are_alike(value) and None not in value:
            return super().items(value)
        return f"[{'; '.join('null' if item is None else f'box ({self.value(item)})' for item in value)}]"

    def pairs(self, value):
        # None is null where nothing says of what it is an option.
        written = "; ".join(
            f"({key}, {'(null : System.IComparable)' if item == self.null else f'{item} :> System.IComparable'})"
            for key, item in self.keys_and_values(value)
        )
        return f"([{written}] |> Map.ofList)" if written else "(Map.empty : Map<string, System.IComparable>)"

    def assign(self, name, value):
        return f"let {name} = {self.value(value)}"


class PowerShell(Literals):
    """about_Quoting_Rules: nothing is expanded in a single-quoted text, and a doubled quote is one. PowerShell takes typographic quotes
    for quotes, too, so what is not ASCII is written with .NET's Regex.Unescape. A list in brackets is unrolled unless a comma
    makes it an item (about_Arrays). Names differ in more than case."""

    title = "PowerShell"
    null, true, false = "$Null", "$True", "$False"
    open_any = open_same = "@("
    close = ")"
    case_matters = False

    def text(self, text):
        quoted = "'" + text.replace("'", "''") + "'"
        if PLAIN.fullmatch(text):
            return quoted
        units = (
            "\\\\" if char == "\\" else char if " " <= char <= "~" else "".join(f"\\u{unit:04x}" for unit in utf16(char))
            for char in text
        )
        return "[regex]::Unescape('" + "".join(units).replace("'", "''") + "')"

    def integer(self, value):
        return f"({value})" if value < 0 else str(value)

    def real(self, value):
        written = super().real(value)
        return f"({written})" if written.startswith("-") else written

    def items(self, value):
        return f"@(,{self.value(value[0])})" if len(value) == 1 else super().items(value)

    def pairs(self, value):
        return f"@{{{'; '.join(f'({key}) = {item}' for key, item in self.keys_and_values(value))}}}"

    def assign(self, name, value):
        return f"${name} = {self.value(value)}"


class Bash(Literals):
    """Bash reference manual, "Single quotes" and "ANSI-C quoting": three octal digits are a byte, in any locale; `\\u` is not. A kernel
    types the cell into a terminal, so no control character is written as itself, and no `!` beside an escape."""

    title = "bash"
    null = "''"
    lacks = (dict,)
    open_any = open_same = "("
    close = ")"
    between = " "
    holds_nul = False

    def text(self, text):
        if PLAIN.fullmatch(text) and "'" not in text:
            return f"'{text}'"
        literal = (
            char if char.isascii() and (char.isalnum() or char in " _-+./:=,@%") else
            "".join(f"\\{byte:03o}" for byte in char.encode("utf-8"))
            for char in text
        )
        return f"$'{''.join(literal)}'"

    def items(self, value):
        if any(isinstance(item, list) for item in value):
            raise Unwritable("a list in a list")
        return super().items(value)

    def assign(self, name, value):
        return f"{name}={self.value(value)}"


OF_LANGUAGE = {
    "r": R,
    "julia": Julia,
    "scala": Scala,
    "matlab": Matlab,
    ".net-csharp": CSharp,
    ".net-fsharp": FSharp,
    ".net-powershell": PowerShell,
    "bash": Bash,
}
