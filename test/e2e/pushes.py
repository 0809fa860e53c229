#!/usr/bin/env python3
"""Sends one sequence of pushes by prometheus_client to two gateways, and compares what they say and show after each.

usage: pushes.py OFFICIAL OURS TOKEN_FILE     addresses as host:port; the token, of namespace demo, is for ours
"""
import difflib
import gzip
import re
import sys
import urllib.error
import urllib.request

from prometheus_client import (CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, delete_from_gateway,
                               push_to_gateway, pushadd_to_gateway)
from prometheus_client.exposition import default_handler

official, ours = sys.argv[1], sys.argv[2]
token = open(sys.argv[3]).read().strip()

# What each process says of itself; times differ, but which groups have them must not.
OWN = re.compile(r"^(go_|process_|promhttp_|pushgateway_|stash_operator_|stash_tenant_|stash_build_info)")
# Ours says of each group whose it is.
WHOSE = re.compile(r',pusher_namespace="demo"(?=[,}])')
TIME = re.compile(r"^(push(?:_failure)?_time_seconds(?:\{.*\})?) (\S+)$")


def say(text):
    print("ok: " + text)


def die(text):
    sys.stdout.flush()
    print("FAILED: " + text, file=sys.stderr)
    sys.exit(1)


def ask(address, method, path, body=None, headers=()):
    request = urllib.request.Request("http://%s%s" % (address, path), data=body, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def order_of_series(line):
    """A histogram's series stay together, its buckets in their order."""
    part = re.match(r"[^{]*_(bucket|sum|count)\{", line)
    return re.sub(r',?le="[^"]*"', "", line[line.index("{"):line.rindex("}")]), part.group(1) if part else ""


def page(address, without_help=()):
    """The families of /metrics that came from pushes, ordered: the order of series in a family has no meaning, that
    of a histogram's buckets does and stays."""
    status, text = ask(address, "GET", "/metrics")
    if status != 200:
        die("/metrics of %s is %d: %s" % (address, status, text))
    families, head, seen = [], [], set()
    for line in text.splitlines():
        if address == ours and re.search(r'[{,]job="', line) and len(WHOSE.findall(line)) != 1:
            die("a pushed series does not say whose it is: " + line)
        line = WHOSE.sub("", line)
        if line.startswith("# "):
            name = line.split()[2]
            if not families or families[-1][0] != name:
                if name in seen:
                    die("%s: family %s comes twice" % (address, name))
                seen.add(name)
                families.append((name, [], []))
            if not name.startswith("push_") and name not in without_help or not line.startswith("# HELP "):
                families[-1][1].append(line)
            continue
        time = TIME.match(line)
        if time:
            line = "%s %s" % (time.group(1), "never" if float(time.group(2)) == 0 else "then")
        families[-1][2].append(line)
    lines = []
    for name, head, series in sorted(families):
        if not OWN.match(name):
            lines += head + sorted(series, key=order_of_series)
    return lines


def compare(what, without_help=()):
    left, right = page(official, without_help), page(ours, without_help)
    if left != right:
        print("\n".join(difflib.unified_diff(left, right, "pushgateway", "stashd", lineterm="", n=2)))
        die("the pages differ after: " + what)
    say("%s: %d equal lines" % (what, len(left)))


def authorised(url, method, timeout, headers, data):
    return default_handler(url, method, timeout, list(headers) + [("Authorization", "Bearer " + token)], data)


def both(function, *args, **named):
    function(official, *args, timeout=10, **named)
    function(ours, *args, timeout=10, handler=authorised, **named)


def raw(what, method, path, body=None, headers=(), without_help=()):
    """A request that a library would not send; both must answer with the same status."""
    left, text_left = ask(official, method, path, body, headers)
    right, text_right = ask(ours, method, path, body, list(headers) + [("Authorization", "Bearer " + token)])
    if left != right:
        die("%s: pushgateway %d (%s), stashd %d (%s)" % (what, left, text_left.strip(), right, text_right.strip()))
    compare("%s (%d)" % (what, left), without_help)


def registry_of_backup(ok=True):
    registry = CollectorRegistry()
    names = ["invoker_kind", "invoker_name", "namespace", "hostname"]
    values = ["BackupConfiguration", "db", "demo", "host-0"]
    Gauge("stash_appscode_com_backupsession_host_backup_success", "1 if the last backup was good", names,
          registry=registry).labels(*values).set(1 if ok else 0)
    if ok:
        Gauge("stash_appscode_com_backupsession_host_data_size_bytes", "Size", names,
              registry=registry).labels(*values).set(123456789012)
        Gauge("stash_appscode_com_backupsession_host_backup_duration_seconds", "Time it took", names,
              registry=registry).labels(*values).set(17.25)
    return registry


def registry_of_kinds():
    registry = CollectorRegistry()
    Counter("bytes_sent", "Bytes with a \\ and\na second line", registry=registry).inc(1e21)
    odd = Gauge("odd", "Odd values", ["value"], registry=registry)
    for value in (0, -0.0, 1e-7, 1e6, 999999, 1e20, 1e22, 0.1 + 0.2, float("inf"), float("-inf"), float("nan")):
        odd.labels(repr(value)).set(value)
    odd.labels('a "quoted" \\ text\nof two lines').set(1)
    odd.labels("žluťoučký 馬").set(2)
    odd.labels("").set(3)
    histogram = Histogram("seconds", "How long", ["verb"], registry=registry, buckets=(0.05, 0.5, 1, 10, 1e6))
    for value in (0.01, 0.3, 0.3, 7, 1e9):
        histogram.labels("get").observe(value)
    histogram.labels("put").observe(2)
    Summary("sizes", "Sizes", registry=registry).observe(12.5)
    Info("build", "Build", registry=registry).info({"version": "1", "commit": "abc"})
    Enum("state", "State", states=["up", "down"], registry=registry).state("down")
    Gauge("no_help", "", registry=registry).set(4)
    return registry


def main():
    job = "backupconfiguration-demo-db"
    compare("nothing yet")
    both(push_to_gateway, job, registry_of_backup())
    compare("push")
    both(push_to_gateway, job, registry_of_backup())
    compare("the same push again")
    both(pushadd_to_gateway, job, registry_of_backup(ok=False))
    compare("add of one metric of three")
    both(push_to_gateway, "kinds", registry_of_kinds())
    compare("counters, histograms, summaries, odd numbers and texts")
    for host in ("host-0", "a/b", "//", "", "ž/b c?d#e%f", "x=y"):
        both(push_to_gateway, job, registry_of_backup(), grouping_key={"target": "app/db", "hostname": host})
        compare("grouping key with hostname %r" % host)
    both(push_to_gateway, "job/with a/slash", registry_of_backup(), grouping_key={"instance": "i-1"})
    compare("a job's name with '/'")
    both(pushadd_to_gateway, job, registry_of_kinds(), grouping_key={"instance": "i-2"})
    compare("the same names in two groups")
    both(push_to_gateway, job, registry_of_backup(ok=False), grouping_key={"hostname": "a/b", "target": "app/db"})
    compare("replace, the key's labels in another order")
    both(delete_from_gateway, job, grouping_key={"target": "app/db", "hostname": "host-0"})
    compare("delete of one group")
    both(delete_from_gateway, "never-seen")
    compare("delete of no group")

    text = [("Content-Type", "text/plain; version=0.0.4")]
    raw("own labels that the key overrides", "PUT", "/metrics/job/k/instance/i", b'x{instance="other",job="j",a="1"} 5\n', text)
    raw("untyped", "POST", "/metrics/job/k", b"plain 1\n# a comment\n\nplain{l=\"v\"}   2.50\n", text)
    raw("gzip", "POST", "/metrics/job/k", gzip.compress(b"# TYPE zipped counter\nzipped 7\n"),
        text + [("Content-Encoding", "gzip")])
    raw("empty body, PUT", "PUT", "/metrics/job/empty", b"", text)
    raw("empty body, POST", "POST", "/metrics/job/empty2", b"", text)
    raw("another type for a known name", "PUT", "/metrics/job/bad", b"# TYPE odd counter\nodd 1\n", text)
    raw("a known group after a bad push", "POST", "/metrics/job/k", b"# TYPE odd counter\nodd 1\n", text)
    raw("another help for a known name", "PUT", "/metrics/job/help", b'# HELP odd Other\n# TYPE odd gauge\nodd{value="o"} 1\n', text,
        without_help=["odd"]) # the official one then shows either, another one each time
    both(delete_from_gateway, "help")
    raw("one series twice", "PUT", "/metrics/job/twice", b"# TYPE twice gauge\ntwice 1\ntwice 2\n", text)
    raw("a timestamp", "PUT", "/metrics/job/stamp", b"stamp 1 1700000000000\n", text)
    raw("no text format", "PUT", "/metrics/job/broken", b"{}}\n", text)
    raw("a name with a dash", "PUT", "/metrics/job/broken", b"a-b 1\n", text)
    raw("a push of push_time_seconds", "PUT", "/metrics/job/cheat", b"# TYPE push_time_seconds gauge\npush_time_seconds 1\n", text)
    raw("a label that is no name", "PUT", "/metrics/job/k/a-b/c", b"x2 1\n", text)
    raw("a label without value", "PUT", "/metrics/job/k/a", b"x2 1\n", text)
    raw("base64 that is none", "PUT", "/metrics/job@base64/!!!", b"x2 1\n", text)
    raw("job in base64", "PUT", "/metrics/job@base64/YS9i/l@base64/=", b"x2 1\n", text)
    raw("healthy", "GET", "/-/healthy")
    raw("ready", "GET", "/-/ready")
    for name in ("kinds", "job/with a/slash", "k", "empty", "empty2", "bad", "twice", "stamp", "broken", "cheat", "a/b"):
        both(delete_from_gateway, name)
    compare("deletes")

    before = page(ours)
    for what, headers in (("no token", []), ("a wrong token", [("Authorization", "Bearer " + token[:-8] + "AAAAAAAA")]),
                          ("no bearer", [("Authorization", "Basic YTpi")])):
        status, _ = ask(ours, "PUT", "/metrics/job/intruder", b"intruder 1\n", text + headers)
        if status != 401:
            die("a push with %s is answered with %d" % (what, status))
        status, _ = ask(ours, "DELETE", "/metrics/job/" + job, None, headers)
        if status != 401:
            die("a delete with %s is answered with %d" % (what, status))
        say("stashd refuses a push and a delete with " + what)
    if page(ours) != before:
        die("a refused push changed the page")


main()
