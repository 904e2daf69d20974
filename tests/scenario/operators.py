#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators do: mute, disable, except, import and export, and mistype. Each change takes effect without a restart and
stands in the audit chain with the name of who made it; each mistake is named and changes nothing."""
import json, os, subprocess
import harness, ground
from harness import check, children_of, say, wait_for

A, B = ground.rule_id(1), ground.rule_id(2)


def counts(desk):
    """(rule, host) -> (count, of them muted)"""
    return {(f["rule_id"], f["entity"].split(":", 1)[1].split(".")[0]): (f["count"], f["muted_count"]) for f in desk.items("finding", "list")}


def becomes(desk, what, key, value):
    check(wait_for(lambda: counts(desk).get(key) == value, 8, 0.1), what, counts(desk))


def incidents(desk):
    return [i["entity"].split(":", 1)[1].split(".")[0] for i in desk.items("incident", "list")]


def mutes(desk, port):
    for words, why in (((), "nothing named"), (("--entity", "host:x", "--expires", "1h"), "no reason"),
                       (("--entity", "host:x", "--reason", "r"), "no expiry"), (("--entity", "host:x", "--reason", "r", "--expires", "400d"), "too long"),
                       (("--organisation", "nobody", "--reason", "r", "--expires", "1h"), "no such organisation")):
        a = desk.cli("mute", "add", *words)
        check(a.code == 65 and len(a.err) > 10 and not a.out, f"a mute with {why} is refused: {a.err.strip()}", a.code, a.out, a.err)
    check(not desk.items("mute", "list"), "and none was made")
    mute = desk.cli("mute", "add", "--entity", f"host:quiet01.{ground.DOMAIN}", "--reason", "bảo trì", "--expires", "1h", "--json", ok=True).json()
    ground.send(port, "quiet01", "firstword", "firstword", "secondword")
    ground.send(port, "loud01", "firstword")
    becomes(desk, "what is muted counts", (A, "quiet01"), (2, 2))
    becomes(desk, "by every rule", (B, "quiet01"), (1, 1))
    becomes(desk, "and another host is not muted", (A, "loud01"), (1, 0))
    check(wait_for(lambda: incidents(desk) == ["loud01"], 5), "only the one that is not muted opens an incident", incidents(desk))
    check([m["incident"] for m in desk.items("outbox", "list")] == [desk.items("incident", "list")[0]["number"]], "and only it is mailed")
    desk.cli("mute", "remove", mute["id"], ok=True)
    check(desk.cli("mute", "remove", mute["id"]).code == 66, "a mute ends once: EX_NOINPUT the second time")
    ground.send(port, "quiet01", "firstword")
    becomes(desk, "after its end it counts as before", (A, "quiet01"), (3, 2))
    check(wait_for(lambda: sorted(incidents(desk)) == ["loud01", "quiet01"], 5), "and opens an incident", incidents(desk))
    desk.cli("mute", "add", "--rule", B, "--reason", "a test", "--expires", "1s", ok=True)
    check(wait_for(lambda: any(r["action"] == "mute.expire" for r in desk.items("audit", "list")), 8), "a mute of one second ends by itself")


def switches(desk, port):
    ground.send(port, "loud01", "secondword")
    becomes(desk, "a rule counts", (B, "loud01"), (1, 0))
    desk.cli("rule", "disable", B, "--reason", "quá ồn", ok=True)
    row = {r["id"]: r for r in desk.items("rule", "list")}[B]
    check(row["disabled"] == "yes" and row["reason"] == "quá ồn" and row["changed_by"], "disabled, with reason and name", row)
    ground.send(port, "loud01", "secondword", "firstword")
    becomes(desk, "the other rule goes on", (A, "loud01"), (2, 0))
    check(counts(desk)[(B, "loud01")] == (1, 0), "and the disabled one counts no more")
    desk.cli("rule", "enable", B, ok=True)
    ground.send(port, "loud01", "secondword")
    becomes(desk, "enabled: it counts again", (B, "loud01"), (2, 0))


def exceptions(desk, port):
    path = os.path.join(desk.folder, "exception.yml")

    def write(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    write("title: half\nlogsource:\n    product: linux\nfilter:\n    rules: [\n")
    a = desk.cli("exception", "add", path)
    check(a.code == 65 and a.err.strip(), f"a broken exception is refused: {a.err.strip()}", a.code, a.err)
    write("title: A rule is no exception\nlogsource:\n    product: linux\ndetection:\n    k: ['x']\n    condition: k\n")
    check(desk.cli("exception", "add", path).code == 65, "a rule is not taken for one")
    check(not desk.items("exception", "list"), "and nothing was added")
    write(f"title: The backup says so every night\nid: 33333333-0000-4000-8000-000000000001\nlogsource:\n    product: linux\nfilter:\n"
          f"    rules: ['{A}']\n    backup:\n        - 'from the backup'\n    condition: not backup\n")
    added = desk.cli("exception", "add", path, "--json", ok=True).json()
    ground.send(port, "loud01", "firstword from the backup", "firstword of another", "secondword from the backup")
    becomes(desk, "what it names is left out, the rest of its rule is not", (A, "loud01"), (3, 0))
    becomes(desk, "and another rule is not touched", (B, "loud01"), (3, 0))
    desk.cli("exception", "remove", added["id"], ok=True)
    ground.send(port, "loud01", "firstword from the backup")
    becomes(desk, "removed: it counts again", (A, "loud01"), (4, 0))


def audited(desk):
    seen = {}
    for r in desk.items("audit", "list"):
        seen.setdefault(r["action"], []).append(r)
    say("audited: " + ", ".join(f"{k} {len(v)}" for k, v in sorted(seen.items())))
    for action in ("mute.create", "mute.delete", "rule.disable", "rule.enable", "exception.create", "exception.delete"):
        check(action in seen and all(r["actor"] == f"uid:{os.geteuid()} tester" for r in seen[action]), f"{action}: with who did it", sorted(seen),
              [r["actor"] for r in seen.get(action, [])])
    check(all(r["actor"] != f"uid:{os.geteuid()} tester" for r in seen["mute.expire"]), "mute.expire: by the desk itself")


def everything(desk):
    return {kind: desk.cli(kind, "export", ok=True).out for kind in ground.TABLES}


def imports(desk):
    before, n = everything(desk), desk.audit()[1]["records"]
    path = os.path.join(desk.folder, "bad.csv")

    def attempt(kind, text, *named):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        a = desk.cli(kind, "import", path)
        check(a.code == 65 and all(word in a.err for word in named), f"{kind}: refused, naming {', '.join(named)}", a.code, a.err)

    head = "code,parent,name,kind,domains,networks\n"
    attempt("organisation", head + "new,,Mới,agency,,\nbad,,Xấu,ministry,,300.1.2.3/8\n", "3", "kind", "networks")
    attempt("organisation", "code,parent,name,kind,domains\nnew,,Mới,agency,\n", "1", "networks")
    attempt("organisation", head + "new,gone,Mới,agency,,\n", "2", "parent")
    attempt("organisation", head + "one,two,Một,agency,,\ntwo,one,Hai,agency,,\n", "parent")
    attempt("asset", "system,name,kind,addresses,criticality,exposed\nyte-cong,x,host,192.0.2.9,low,yes\nnone,y,host,,low,no\n", "3", "system")
    attempt("contact", "organisation,name,role,email,phone,hours,language\nyte,\"Một,duty,a@example.vn,,24x7,vi\n", "2")
    check(everything(desk) == before, "nothing of them was taken, not even the good rows")
    check(desk.audit()[1]["records"] == n, "and nothing stands in the audit chain")
    check(desk.cli("organisation", "import", "/nonexistent").code == 66, "a file that is not there: EX_NOINPUT")
    for kind, text in before.items():
        done = desk.cli(kind, "import", "-", "--json", stdin=text, ok=True).json()
        check(done["created"] == done["changed"] == 0 and done["rows"] > 0, f"{kind}: what was exported comes in again and changes nothing", done)
    check(everything(desk) == before, "and the export is the same, byte for byte")


def round_trip(stage, before):
    """Into an empty desk."""
    desk = stage.desk()
    desk.start()
    for kind, text in before.items():
        desk.cli(kind, "import", "-", stdin=text, ok=True)
    check(everything(desk) == before, "an empty desk that imports it exports the same")
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


def mistakes(desk):
    for words, near in ((("incidnt", "list"), "incident"), (("incident", "lst"), "list"), (("incident", "list", "--stat", "open"), "--state")):
        a = desk.cli(*words)
        check(a.code == 64 and near in a.err and not a.out, f"khien {' '.join(words)}: did you mean {near}? (EX_USAGE)", a.code, a.err)
    for words, code in ((("incident", "show", "2026-999999"), 66), (("finding", "show", "x"), 66), (("incident", "ack"), 64), (("incident", "list", "more"), 64),
                        (("incident", "list", "--limit", "many"), 64), (("incident", "list", "--limit", "0"), 65), (("help",), 0), (("version",), 0), ((), 64)):
        a = desk.cli(*words)
        check(a.code == code and (code == 0 or (a.err and not a.out)), f"khien {' '.join(words)}: exit {code}", a.code, a.out, a.err)
    for noun in ("incident", "finding", "organisation", "contact", "system", "asset", "rule", "mute", "exception", "outbox", "token", "audit"):
        page = desk.cli(noun, "list", "--limit", "1", "--json", ok=True).json()
        if set(page) != {"items", "next"} or len(page["items"]) > 1 or (page["next"] is not None and not isinstance(page["next"], str)):
            check(False, f"{noun} list --json: items and next", page)
    say("ok  every list has the same shape: items, next")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([harness.khien, "incident", "list", "--json"], env=desk.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    check(done.returncode == 74, "an answer that cannot be written is no success (EX_IOERR)", done.returncode, done.stderr)


def configuration(desk):
    path = os.path.join(desk.folder, "wrong.yaml")

    def attempt(text, *named):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        a = desk.cli("config", "check", "--config", path)
        check(a.code == 78 and path in a.err and all(word in a.err for word in named), f"config check names {', '.join(named)} (EX_CONFIG)", a.code, a.err)

    attempt("language: vi\nsyslog:\n  tpc: ['127.0.0.1:514']\n", ":3:", "tpc", "tcp")
    attempt("web:\n  max_connections: 1000000\n", ":2:", "max_connections")
    attempt("findings: {window: soon}\n", ":1:", "window")
    attempt("web: {listen: 'localhost'}\n", "localhost")
    attempt("mail: {server: '[2001:db8::1'}\n", "2001:db8::1", "host:port")
    check(desk.cli("config", "check", "--config", desk.config).code == 0, "the good one passes")
    printed = desk.cli("config", "print", "--config", desk.config, ok=True).out
    with open(path, "w", encoding="utf-8") as f:
        f.write(printed)
    check(desk.cli("config", "print", "--config", path, ok=True).out == printed, "what is printed reads back as the same")


def main(stage):
    rules = os.path.join(stage.folder, "rules")
    ground.rule(rules, 1, "firstword")
    ground.rule(rules, 2, "secondword", level="medium")
    desk = stage.desk({"syslog": {"tcp": ["127.0.0.1:0"]}, "rules": {"paths": [rules]}}, env={"USER": "tester"})
    desk.env.pop("SUDO_USER", None)
    desk.start()
    ground.province(desk)
    port = desk.port("syslog.tcp")
    before = set(children_of(desk.process.pid))
    mutes(desk, port)
    switches(desk, port)
    exceptions(desk, port)
    audited(desk)
    imports(desk)
    mistakes(desk)
    configuration(desk)
    check(wait_for(lambda: set(children_of(desk.process.pid)) == before, 5), "no role restarted for any of it")
    code, chain = desk.audit()
    check(code == 0 and chain["ok"], f"the audit chain of {chain['records']} records verifies")
    round_trip(stage, everything(desk))
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


harness.run(main)
