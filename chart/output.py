"""Writes generated manifests below this folder, or checks that they are up to date."""
import pathlib
import sys

import yaml


class Plain(yaml.SafeDumper):
    """Repeats a shared part instead of referring to it."""

    def ignore_aliases(self, data):
        return True


def settle(script, files, guard=None):
    """
    files: path below this folder to a list of objects. guard: name to the condition under which Helm takes the file; it
    stands in comments, so that the file is good YAML without Helm too. The exit code: 1 if --check found an old file.
    """
    stale = 0
    for name, objects in files.items():
        path = pathlib.Path(__file__).parent / name
        text = f"# Written by {script}; change it there.\n"
        body = yaml.dump_all(objects, Dumper=Plain, sort_keys=False, width=120)
        if guard:
            body = f"# {{{{- if {guard(name)} }}}}\n{body}# {{{{- end }}}}\n"
        text += body
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path}: not what {script} writes")
            stale = 1
    return stale
