"""Texts and values that have to come back from a language as they were written, for tests/literals.rs.

    python literals.py DRIVER LANGUAGE SEED

The language's own program reads the injected cell and says of each character which one it is. Prints how many texts came back;
without the program, "skipped".

    python literals.py DRIVER written PARAMETERS

Prints the injected cell of each language, or why there is none.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from reveille_driver.languages import OF_LANGUAGE  # noqa: E402
from reveille_driver.literals import Unwritable  # noqa: E402

PIECES = [
    "$(touch pwned)", "`touch pwned`", "${HOME}", "$HOME", "$x", "#{1+1}", "{x}", "\\(x)", "%s %d %%", "\\u0041", "\\", "\\\\", '"', "'",
    "''", '""', "\n", "\r\n", "\t", "\x1b[31m", "\x03", "\x04", "\x1a", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u2018", "\u2019",
    "\u201c", "ü", "ß", "日本", "😀", "\U0010ffff", "e\u0301", " ", "", "!", "!!", "?", ";", "#", "//", "/*", "*/", "%", "(*", "*)", "@", "|", "&", "<",
    ">", "~", "^", "-", "=", "a", "7", "F", "null", "*", "[", "]", "{", "}", "(", ")", ",", "\n# Parameters\n", "\nx = 1\n",
]  # fmt: skip


def texts(seed, nul, count=300):
    random.seed(seed)
    pieces = PIECES + ["\0"] * nul
    yield from pieces
    for _ in range(count):
        yield "".join(random.choice(pieces) for _ in range(random.randrange(1, 8)))
    yield "".join(chr(random.choice([random.randrange(1, 0xD800), random.randrange(0xE000, 0x110000)])) for _ in range(9_000))
    yield "ü" * 12_000
    yield "a" * 70_000


def codes(text):
    return " ".join(str(ord(char)) for char in text)


def run(command, source, suffix, **env):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cell" + suffix)
        file.write_text(source, "ascii")
        done = subprocess.run([*command, file], cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": folder, **env}, capture_output=True)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        left = {path.name for path in Path(folder).iterdir()} - {file.name, ".java", ".cache", ".config", ".local"}
        assert not left, f"something was executed: {left}"
        return done.stdout


def bash(seed):
    writer = OF_LANGUAGE["bash"]("bash")
    wanted = list(texts(seed, nul=False))
    cell = writer.cell({"t": wanted, **{f"t{number}": text for number, text in enumerate(wanted)}})
    # A kernel's bash is interactive: `!` would mean something.
    source = f"set -o history -o histexpand\n{cell}printf '%s\\0' \"${{t[@]}}\"\n" + "".join(
        f"printf '%s\\0' \"$t{number}\"\n" for number in range(len(wanted))
    )
    for locale in ("C", "C.UTF-8"):
        read = run(["bash", "--norc"], source, ".sh", LC_ALL=locale).decode().split("\0")[:-1]
        assert read == wanted * 2
    nulls = run(["bash", "--norc"], writer.cell({"t": [1, None, True, -2.5, ""]}) + "printf '<%s>' \"${t[@]}\"", ".sh")
    assert nulls == b"<1><><true><-2.5><>", nulls
    return len(wanted)


def r(seed):
    writer = OF_LANGUAGE["r"]("r")
    wanted = list(texts(seed, nul=False))
    keys = {key: number for number, key in enumerate(wanted)}
    cell = writer.cell({"t": wanted, "o": keys, "deep": nested(14), "v": [1, None, True, -2.5, 9007199254740991, {}, {"a": None}]})
    source = (
        f"{cell}for (s in t) cat(utf8ToInt(enc2utf8(s)), '\\n')\nfor (n in names(o)) cat(utf8ToInt(n), o[[n]], '\\n')\n"
        "stopifnot(length(v) == 7, identical(v[[1]], 1), is.null(v[[2]]), isTRUE(v[[3]]), identical(v[[4]], -2.5))\n"
        "stopifnot(v[[5]] == 2^53 - 1, length(v[[6]]) == 0, identical(names(v[[7]]), 'a'), is.null(v[[7]]$a))\n"
    )
    # As R's kernel does; Rscript's own reading of files fails at a long line.
    reader = ["Rscript", "--vanilla", "-e", "eval(parse(text = readLines(commandArgs(TRUE)[1])))"]
    # An empty name is none that [[ ]] finds.
    source = source.replace("o[[n]], '", "o[[match(n, names(o))]], '")
    for locale in ("C", "C.UTF-8"):
        read = [line.strip() for line in run(reader, source, ".R", LC_ALL=locale).decode().split("\n")[:-1]]
        expected = [codes(text) for text in wanted] + [f"{codes(key)} {number}".strip() for key, number in keys.items()]
        assert read == expected, next((pair for pair in zip(read, expected) if pair[0] != pair[1]), (len(read), len(expected)))
    return len(wanted)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"ü": [value]}
    return value


def scala(seed):
    writer = OF_LANGUAGE["scala"]("scala")
    # Its compiler takes a minute for more on a busy machine.
    wanted = list(texts(seed, nul=True, count=60))
    # A method's code has a bound: one object a text.
    lines = "".join(f"object T{number} {{ {writer.assign('t', text)}; show(t) }}\n" for number, text in enumerate(wanted))
    show = "def show(s: String) { println(s.codePoints.toArray.mkString(\" \")) }\n"
    calls = "".join(f"T{number}\n" for number in range(len(wanted)))
    values = writer.cell({"v": [1, 2.5, 3_000_000_000, None, True, {"ü": 1}, []], "w": [1, 3_000_000_000]})
    checks = 'assert(v == List[Any](1, 2.5, 3000000000L, None, true, Map("\\u00fc" -> 1), Nil) && v(0).isInstanceOf[Int])\nassert(w.sum == 3000000001L)\n'
    read = run(["scala", "-nc"], show + values + checks + lines + calls, ".scala").decode().split("\n")[:-1]
    assert read == [codes(text) for text in wanted], next(pair for pair in zip(read, map(codes, wanted)) if pair[0] != pair[1])
    return len(wanted)


def octave(seed):
    """Only the characters between single quotes, as MATLAB has them: its strings between double quotes are other ones."""
    characters = OF_LANGUAGE["matlab"].characters
    wanted = [text for text in texts(seed, nul=True) if max(text, default="a") <= "\x7f"]
    source = "".join(f"printf('%d ', double({characters(text)})); printf('\\n');\n" for text in wanted)
    read = [line.strip() for line in run(["octave-cli", "--norc"], source, ".m").decode().split("\n")[:-1]]
    assert read == [codes(text) for text in wanted], next(pair for pair in zip(read, map(codes, wanted)) if pair[0] != pair[1])
    return len(wanted)


PROGRAMS = {"bash": ("bash", bash), "r": ("Rscript", r), "scala": ("scala", scala), "matlab": ("octave-cli", octave)}


def written(parameters):
    cells = {}
    for language, writer in OF_LANGUAGE.items():
        try:
            cells[language] = writer(language).cell(parameters)
        except Unwritable as lacking:
            cells[language] = f"lacking: {lacking}"
    return cells


def main():
    if sys.argv[2] == "written":
        print(json.dumps(written(json.loads(sys.argv[3]))))
        return
    program, test = PROGRAMS[sys.argv[2]]
    print("skipped" if shutil.which(program) is None else test(int(sys.argv[3])))


main()
