#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Followed files across rotation and restart: no line lost, none read twice, none read before it is whole; and lines that
cannot be read are counted by reason with a sample."""
import os, shutil, time
import harness
from harness import check, wait_for

RULE = "sshd_unknown_user_guessing"


def attack(n):
    return f"Nov 23 22:34:12 web01.yte.tinhmau.example.vn sshd[{n}]: Failed password for invalid user u{n} from 203.0.113.7 port {1024 + n} ssh2\n"


class File:
    def __init__(self, path):
        self.path, self.n = path, 0
        open(path, "a").close()

    def add(self, count):
        with open(self.path, "a", encoding="utf-8") as f:
            for _ in range(count):
                self.n += 1
                f.write(attack(self.n))

    def rename(self, to):
        os.rename(self.path, to)
        open(self.path, "a").close()

    def copytruncate(self, to):
        shutil.copyfile(self.path, to)
        os.truncate(self.path, 0)


def exact(desk, files, what):
    def lines():
        return {f: desk.input(f).get("lines", 0) for f in files}
    want = {name: f.n for name, f in files.items()}
    wait_for(lambda: lines() == want, 15, 0.1)
    time.sleep(0.7)  # a line read twice would come now
    check(lines() == want, f"{what}: {want} lines, each once", lines())
    hits = sum(n for (_, rule, _), n in desk.findings().items())
    check(hits == sum(want.values()), f"{what}: {hits} hits", hits)


def half_lines(desk, f):
    before = desk.input("renamed")["lines"]
    line = attack(f.n + 1)
    with open(f.path, "a") as out:
        out.write(line[:40])
        out.flush()
        time.sleep(1)
        check(desk.input("renamed")["lines"] == before, "a half-written last line is not read")
        out.write(line[40:])
    f.n += 1
    check(wait_for(lambda: desk.input("renamed")["lines"] == before + 1, 5), "it is read when its newline comes")


BROKEN = [  # reason, bytes of one line, how many
    ("over_limit", b"A" * 3000, 3),
    ("bad_json", b'{"EventID": 4688, "Image": ', 4),
    ("not_utf8", b'{"EventID": 1, "Image": "C:\\\\\xff\xfe.exe"}', 2),
    ("nul", b"\0" * 64, 5),
]


def broken_lines(stage):
    """Each reason is counted, a sample is kept, and the good lines between them are read."""
    path = os.path.join(stage.folder, "broken.ndjson")
    open(path, "w").close()
    desk = stage.desk({"syslog": {"max_line": "1KiB"}, "inputs": [{"name": "broken", "path": path, "format": "json"}]}).start()
    good = b'{"EventID": 1, "Image": "C:\\\\a.exe"}'
    reasons = {}
    for _, line, count in BROKEN:
        for _ in range(count):
            before = desk.input("broken")
            was, n = {r: v["count"] for r, v in before.get("rejected", {}).items()}, before.get("events", 0)
            with open(path, "ab") as f:
                f.write(line + b"\n" + good + b"\n")
            check_quietly(wait_for(lambda: desk.input("broken").get("events", 0) > n, 5), f"a good line after {line[:30]!r} is read")
            now = {r: v["count"] for r, v in desk.input("broken")["rejected"].items()}
            for r in now:
                if now[r] > was.get(r, 0):
                    reasons.setdefault(line[:20], {})[r] = reasons.setdefault(line[:20], {}).get(r, 0) + 1
    for reason, line, count in BROKEN:
        found = reasons.get(line[:20], {})
        check(sum(found.values()) == count and len(found) == 1, f"{count} lines like {line[:20]!r}: counted as {', '.join(found)}", found)
    rejected = desk.input("broken")["rejected"]
    check(len(rejected) == len(BROKEN), f"{len(BROKEN)} reasons told apart: {', '.join(sorted(rejected))}", rejected)
    check(all(r["sample"] for r in rejected.values()), "each with a sample", rejected)
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


def check_quietly(holds, what):
    if not holds:
        raise harness.Failure(what)


def main(stage):
    folder = os.path.join(stage.folder, "logs")
    os.makedirs(folder)
    renamed, truncated = File(os.path.join(folder, "renamed.log")), File(os.path.join(folder, "truncated.log"))
    files = {"renamed": renamed, "truncated": truncated}
    desk = stage.desk({"inputs": [{"name": n, "path": f.path, "format": "syslog"} for n, f in files.items()]}).start()
    for f in files.values():
        f.add(50)
    exact(desk, files, "running")
    renamed.rename(renamed.path + ".1")
    renamed.add(20)
    with open(renamed.path + ".1", "a") as late:  # a writer that still holds the old file
        late.write(attack(9001))
    renamed.n += 1
    truncated.copytruncate(truncated.path + ".1")
    time.sleep(1)
    truncated.add(10)
    exact(desk, files, "rotated while running")
    half_lines(desk, renamed)
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")
    for f in files.values():
        f.add(30)
    desk.start()
    exact(desk, files, "written while stopped")
    desk.stop()
    renamed.add(7)
    renamed.rename(renamed.path + ".2")
    renamed.add(9)
    truncated.add(0)
    truncated.copytruncate(truncated.path + ".2")
    truncated.add(8)
    desk.start()
    exact(desk, files, "rotated while stopped, with unread lines in both")
    desk.stop()
    desk.start()
    exact(desk, files, "started once more with nothing new")
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")
    broken_lines(stage)


harness.run(main)
