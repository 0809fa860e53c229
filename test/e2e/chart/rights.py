#!/usr/bin/env python3
"""Compares what the API server says an account may do with what chart/README.md documents.

rights.py README ROLE… < OUTPUT: OUTPUT is that of `kubectl auth can-i --list` for an account with these roles, less that
of an account with none (given first, then a line "---"). Prints differences; exit code 1 if there are any.
"""
import re
import sys

FULL = "stashd"


def listed(text):
    """Table of can-i: resource, urls, names, verbs. One (resource, name, verb) a right; urls are everybody's."""
    rights = set()
    for line in text.strip().splitlines()[1:]:
        match = re.match(r"(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]", line)
        resource, _, names, verbs = match.groups()
        for verb in verbs.split() if resource else ():
            for name in names.split() or [""]:
                rights.add((resource, name, verb))
    return rights


def documented(readme, roles):
    rights = set()
    for line in readme.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4 and cells[0] in roles:
            for verb in cells[2].split():
                for name in cells[3].split() or [""]:
                    rights.add((cells[1], FULL + name if name.startswith("-") else name, verb))
    return rights


def main():
    everybody, account = sys.stdin.read().split("---\n")
    common = listed(everybody)
    actual = listed(account) - common
    told = documented(open(sys.argv[1]).read(), sys.argv[2:]) - common
    for right in sorted(actual - told):
        print("not documented:", *right)
    for right in sorted(told - actual):
        print("documented, not granted:", *right)
    print(f"{len(actual)} rights, {len(told)} documented")
    return 1 if actual != told or not told else 0


if __name__ == "__main__":
    sys.exit(main())
