"""Writes generated manifests below templates/, or checks that they are up to date."""
import pathlib
import sys

import yaml


class Plain(yaml.SafeDumper):
    """Repeats a shared part instead of referring to it."""

    def ignore_aliases(self, data):
        return True


def settle(script, files):
    """files: path below templates/ to a list of objects. The exit code: 1 if --check found an old file."""
    stale = 0
    for name, objects in files.items():
        path = pathlib.Path(__file__).parent / "templates" / name
        text = f"# Written by {script}; change it there.\n" + yaml.dump_all(
            objects, Dumper=Plain, sort_keys=False, width=120)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path}: not what {script} writes")
            stale = 1
    return stale
