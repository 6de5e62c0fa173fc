"""Sparkmagic, whose magics print what Spark refuses instead of failing the cell: its configuration in a run."""

import json
import logging
import re
from pathlib import Path

from reveille_driver.conda import text_of

# Sparkmagic's own settings, by which a failed statement fails its cell instead of being printed.
SPARKMAGIC = {"all_errors_are_fatal": True, "spark_statement_errors_are_fatal": True}
# How a notebook of another kernel uses it.
IS_USED = re.compile(r"\bsparkmagic\b|^\s*%%?(?:spark|manage_spark)\b", re.MULTILINE)
# A cell that writes or chooses a configuration of its own before it loads the magics.
OWN = re.compile(r"\.sparkmagic\b|SPARKMAGIC_CONF")


def used_by(notebook, argv):
    """Whether the notebook's cells are sparkmagic's business, and its configuration ours."""
    if any("sparkmagic" in str(part) for part in argv):
        return True
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if not any(map(IS_USED.search, sources)):
        return False
    if any(map(OWN.search, sources)):
        logging.info("A cell chooses sparkmagic's configuration, which is left as it is: all_errors_are_fatal decides there.")
        return False
    return True


def variables(env, scratch):
    """What leads sparkmagic to a copy of the person's configuration in which errors are fatal.

    Without it a statement that Spark refuses is printed, the cell counts as run, and so does the notebook.
    """
    home = of_home(env.get("SPARKMAGIC_CONF_DIR") or "~/.sparkmagic", env)
    name = env.get("SPARKMAGIC_CONF_FILE") or "config.json"
    try:
        config = json.loads(text_of(home / name))
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError) as error:
        logging.warning("sparkmagic's configuration %s cannot be read and is not used: %s", home / name, error)
        config = {}
    folder = scratch / "sparkmagic"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Its logs are beside its configuration, where a person looks for them; the copy's folder goes with the run.
        (home / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "logs").symlink_to(home / "logs")
    except OSError as error:
        logging.warning("sparkmagic's logs go with the run: %s", error)
    merged = {**(config if isinstance(config, dict) else {}), **SPARKMAGIC}
    (folder / "config.json").write_text(json.dumps(merged), "utf-8")
    return {"SPARKMAGIC_CONF_DIR": str(folder), "SPARKMAGIC_CONF_FILE": "config.json"}


def of_home(path, env):
    """The path as the kernel expands it: its own HOME may be another one than this process's."""
    if env.get("HOME") and path.startswith("~/"):
        return Path(env["HOME"], path[2:])
    return Path(path).expanduser()
