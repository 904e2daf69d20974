#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer_sigma.py - the same rules over the same events by the way of SQL: pySigma turns each rule into a query, SQLite runs
it over a table of flattened events (how Zircolite works). Prints both rates and their ratio.

usage: peer_sigma.py KHIEN RULES EVENTS...   (needs pySigma, pySigma-backend-sqlite, pysigma-pipeline-sysmon and -windows
from PyPI in the Python that runs it; khien runs with --mapping sysmon,windows on one core, as SQLite does)
"""
import json, os, re, resource, sqlite3, subprocess, sys, time

try:
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection
    from sigma.pipelines.sysmon import sysmon_pipeline
    from sigma.pipelines.windows import windows_logsource_pipeline
except ImportError as e:
    print(f"peer not measured: {e}")
    sys.exit(77)

khien, rules, files = sys.argv[1], sys.argv[2], sys.argv[3:]


def cpu():
    return time.process_time()


def flat(node, out, name=""):
    for key, value in node.items():
        if isinstance(value, dict):
            flat(value, out, key)
        else:
            column = re.sub(r"[^A-Za-z0-9_]", "", name + "_" + key if key == "Name" and name else key)
            out[column.lower()] = value if isinstance(value, (str, int)) and not isinstance(value, bool) else json.dumps(value)
    return out


def queries():
    backend = sqliteBackend(processing_pipeline=sysmon_pipeline() + windows_logsource_pipeline(), collect_errors=True)
    backend.table = "logs"
    kept = []
    for rule in SigmaCollection.load_ruleset([rules], collect_errors=True).rules:
        if rule.errors or rule.logsource.product != "windows":
            continue
        try:
            kept += [(str(rule.id), sql.replace("<TABLE_NAME>", "logs")) for sql in backend.convert_rule(rule)]
        except Exception:  # what the peer cannot translate it does not run
            pass
    return kept


start = cpu()
sqls = queries()
print(f"peer: {len(sqls)} queries made in {cpu() - start:.1f} s (not counted below)")
names = sorted({m.lower() for _, sql in sqls for m in re.findall(r"\b([A-Za-z_][A-Za-z0-9_]*)\s*(?:=|LIKE|IS|REGEXP|<|>)", sql)} | {"channel", "eventid"})
start, n, matched, failed = cpu(), 0, 0, 0
for path in files:
    db = sqlite3.connect(":memory:")
    db.create_function("REGEXP", 2, lambda p, v: v is not None and re.search(p, str(v)) is not None, deterministic=True)
    db.execute("CREATE TABLE logs (" + ",".join(f'"{c}" TEXT COLLATE NOCASE' for c in names) + ")")
    zstd = subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE)
    rows = []
    for line in zstd.stdout:
        event = flat(json.loads(line), {})
        rows.append([event.get(c) for c in names])
    n += len(rows)
    db.executemany("INSERT INTO logs VALUES (" + ",".join("?" * len(names)) + ")", rows)
    db.execute("CREATE INDEX which ON logs (channel, eventid)")
    for _, sql in sqls:
        try:
            matched += len(db.execute(sql.replace("SELECT *", "SELECT 1")).fetchall())
        except sqlite3.Error:
            failed += 1
took = cpu() - start
peer = n / took
print(f"peer: {n} events in {took:.1f} CPU s = {peer:.0f} events/s, {matched} matches, {failed} queries failed, "
      f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
done = subprocess.run(["taskset", "-c", "0", khien, "sigma", "match", "--rules", rules, "--mapping", "sysmon,windows", "--counts", "--stats", *files],
                      capture_output=True, text=True, env=dict(os.environ, KHIEN_LANG="en"))
print("khien:", done.stderr.strip().splitlines()[-1])
rate = re.search(r"([\d.]+) events/s", done.stderr) or re.search(r"events_per_s=([\d.]+)", done.stderr)
if rate:
    print(f"ratio: {float(rate.group(1)) / peer:.0f} times as fast")
