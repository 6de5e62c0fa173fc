"""After a pass of `make mutants`: which mutants still live, and how the next pass names them.

`cargo mutants --iterate` cannot be used with a shard: it takes a shard of what is left, which is another one. And a filter by name (27.1)
lets through each mutant that deletes a field, so what a pass missed counts only if the pass before missed it, too.
"""

import json
import pathlib
import re

FOLDER = pathlib.Path("target/mutants")
LIVING = FOLDER / "living.txt"

missed = (FOLDER / "mutants.out" / "missed.txt").read_text().splitlines()
if LIVING.exists():
    before = set(LIVING.read_text().splitlines())
    missed = [name for name in missed if name in before]
LIVING.write_text("".join(f"{name}\n" for name in missed))
files = sorted({name.split(":")[0] for name in missed})
names = [f"^{re.escape(name)}$" for name in missed]
# Texts of JSON are texts of TOML.
(FOLDER / "living.toml").write_text(f"examine_globs = {json.dumps(files)}\nexamine_re = {json.dumps(names)}\n")
print(f"{len(missed)} live")
