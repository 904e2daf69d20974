#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fifty times kill -9, of a random process at a random moment, under load: nothing acknowledged is lost, nothing is done
twice. What is acknowledged: a line in a followed file, an answered request, a mail, a finding, an incident's state.
KHIEN_SEED gives the same draws again, KHIEN_KILLS another number of them."""
import collections, csv, os, random, signal, socket, threading, time
import harness
from harness import Failure, alive, check, children_of, say, wait_for

PARTS, HOST_EVERY = 7, 15


def rules(folder):
    """One rule a remainder of the line's number, so that a lost line and a doubled one cannot hide each other."""
    os.makedirs(folder)
    for part in range(PARTS):
        with open(os.path.join(folder, f"part{part}.yml"), "w", encoding="utf-8") as f:
            f.write(f"title: Numbered line, remainder {part}\nid: 11111111-0000-4000-8000-00000000000{part}\nlevel: high\nlogsource:\n"
                    f"    product: linux\ndetection:\n    keywords:\n        - 'attack part={part};'\n    condition: keywords\n")


class Writer(threading.Thread):
    """Appends numbered lines to followed files; rotates them by rename and create."""

    def __init__(self, folder, draw, settled):
        super().__init__(daemon=True)
        self.folder, self.draw, self.settled = folder, random.Random(draw.random()), settled
        self.stop, self.n = threading.Event(), 0
        self.lines, self.hits, self.rotated = collections.Counter(), collections.Counter(), collections.Counter()
        self.hosts = set()
        for name in ("plain", "glob"):
            open(self.path(name), "ab").close()

    def path(self, name):
        return os.path.join(self.folder, f"{name}.log")

    def line(self, name):
        host = f"h{self.n // HOST_EVERY % 60}-{name}.yte.tinhmau.example.vn"
        part = self.n % PARTS
        self.lines[name] += 1
        self.hits[(part, host)] += 1
        self.hosts.add(host)
        self.n += 1
        return f"Nov 23 22:34:12 {host} sshd[123]: attack part={part}; number {self.n}\n".encode()

    def rotate(self, name):
        """A plain path: rotated once its inode is known. With a pattern the rotated name is followed as well: at any time."""
        if name == "plain" and not self.settled(os.stat(self.path(name)).st_ino):
            return
        self.rotated[name] += 1
        os.rename(self.path(name), f"{self.path(name)}.{self.rotated[name]}")
        open(self.path(name), "ab").close()

    def run(self):
        while not self.stop.wait(0.02):
            name = self.draw.choice(("plain", "glob"))
            whole = b"".join(self.line(name) for _ in range(self.draw.randint(1, 4)))
            cut = self.draw.randint(0, len(whole))  # sometimes the reader sees half a line
            with open(self.path(name), "ab") as f:
                f.write(whole[:cut])
                f.flush()
                if self.draw.random() < 0.2:
                    time.sleep(self.draw.random() * 0.3)
                f.write(whole[cut:])
            if self.draw.random() < 0.01:
                self.rotate(name)


class Sender(threading.Thread):
    """A syslog sender over TCP that comes back when the connection breaks."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.stop, self.sent, self.connects = port, threading.Event(), 0, 0

    def run(self):
        while not self.stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                    self.connects += 1
                    while not self.stop.wait(0.01):
                        self.sent += 1
                        s.sendall(b"<38>Nov 23 22:34:12 gw01.anm.tinhmau.example.vn sshd[1]: quiet line %d\n" % self.sent)
            except OSError:
                self.stop.wait(0.1)


class Operator:
    """Asks until it is answered, and remembers what was answered: that must hold."""

    def __init__(self, desk, draw):
        self.desk, self.draw = desk, random.Random(draw.random())
        self.acknowledged, self.assets = set(), []

    def insist(self, *words):
        """The same request until it is answered; a repeated one may find its work done."""
        end = time.monotonic() + 40
        while time.monotonic() < end:
            a = self.desk.cli(*words)
            if a.code == 0:
                return a
            time.sleep(0.1)
        raise Failure(f"no answer for 40 s: khien {' '.join(words)}: {a.code} {a.err}")

    def import_asset(self):
        name = f"imported{len(self.assets):03d}.yte.tinhmau.example.vn"
        path = os.path.join(self.desk.folder, "asset.csv")
        with open(path, "w", encoding="utf-8", newline="") as f:
            w = csv.writer(f)
            w.writerow(["system", "name", "kind", "addresses", "criticality", "exposed"])
            w.writerow(["yte-cong", name, "host", "", "low", "no"])
        self.insist("asset", "import", path)
        self.assets.append(name)

    def acknowledge(self):
        still_open = [i["number"] for i in self.insist("incident", "list", "--state", "open", "--limit", "50", "--json").json()["items"]]
        if not still_open:
            return
        number = self.draw.choice(still_open)
        a = self.desk.cli("incident", "ack", number)
        if a.code == 0:
            self.acknowledged.add(number)


class Killer:
    def __init__(self, desk, draw):
        self.desk, self.draw, self.count = desk, draw, collections.Counter()

    def processes(self):
        found = {"supervisor": self.desk.process.pid}
        for pid in children_of(self.desk.process.pid):
            try:
                with open(f"/proc/{pid}/comm") as f:
                    found[f.read().strip().removeprefix("khien-")] = pid
            except OSError:
                pass
        return found

    def once(self):
        found = self.processes()
        role = self.draw.choice(sorted(found))
        self.count[role] += 1
        try:
            os.kill(found[role], signal.SIGKILL)
        except ProcessLookupError:
            return
        if role != "supervisor":
            return
        self.desk.process.wait()
        left = [pid for name, pid in found.items() if name != "supervisor"]
        if not wait_for(lambda: not any(alive(pid) for pid in left), 10):
            raise Failure("roles outlive their supervisor", [p for p in left if alive(p)])
        self.desk.start()


def saved(desk):
    """Whether the store knows the position of an inode."""
    def known(inode):
        try:
            with desk.store() as db:
                return db.execute("SELECT COUNT(*) FROM input_file WHERE ino = ?", (inode,)).fetchone()[0] > 0
        except Exception:
            return False
    return known


def hits_by_host(desk):
    seen = collections.Counter()
    for f in desk.items("finding", "list"):
        if f["rule_id"].startswith("11111111-"):
            seen[(int(f["rule_id"][-1]), f["entity"].split(":", 1)[1])] += f["count"]
    return seen


def lines_are_exact(desk, writer):
    def equal():
        return all(desk.input(name).get("lines") == writer.lines[name] for name in ("plain", "glob"))
    wait_for(equal, 45, 0.3)
    for name in ("plain", "glob"):
        check(desk.input(name).get("lines") == writer.lines[name],
              f"{name}: {writer.lines[name]} lines written, {desk.input(name).get('lines')} read ({writer.rotated[name]} rotations)", desk.input(name))
    seen = hits_by_host(desk)
    wrong = {k: (writer.hits[k], seen[k]) for k in {*writer.hits, *seen} if writer.hits[k] != seen[k]}
    check(not wrong, f"{sum(seen.values())} hits in {len(seen)} findings: each line once", wrong)


def mails_are_exact(desk, sink, acknowledged):
    def rests():
        return not any(m["state"] in ("queued", "sending", "committing") for m in desk.items("outbox", "list"))
    check(wait_for(rests, 110, 0.5), "the outbox comes to rest", [m for m in desk.items("outbox", "list") if m["state"] not in ("sent", "uncertain")][:3])
    outbox = {m["id"]: m for m in desk.items("outbox", "list")}
    ids = [m["Message-ID"].strip("<>").split("@")[0] for m in sink.mails()]
    states = collections.Counter(m["state"] for m in outbox.values())
    check(len(ids) == len(set(ids)), f"{len(ids)} mails came, none twice", [i for i, n in collections.Counter(ids).items() if n > 1])
    sent = {i for i, m in outbox.items() if m["state"] == "sent"}
    uncertain = {i for i, m in outbox.items() if m["state"] == "uncertain"}
    check(sent <= set(ids), f"each of the {len(sent)} that the outbox calls sent came")
    check(set(ids) <= sent | uncertain, f"none came that the outbox does not know as sent or uncertain ({dict(states)})")
    told = {m["subject"] for m in outbox.values() if m["id"] in sent | uncertain}
    untold = [i["number"] for i in desk.items("incident", "list") if not any(i["number"] in s for s in told) and i["number"] not in acknowledged]
    check(not untold, f"each incident has its first mail, or was acknowledged before ({len(uncertain)} uncertain, of which {len(uncertain & set(ids))} had come)", untold)


def main(stage):
    draw, kills = harness.seeded(), int(os.environ.get("KHIEN_KILLS", 50))
    sink = stage.sink("--delay-ms", "50", "--late-ms", "50")  # some kills fall between a mail's end and its reply: kept or not
    folder = os.path.join(stage.folder, "logs")
    os.makedirs(folder)
    rules(os.path.join(stage.folder, "rules"))
    tcp = harness.free_port()
    desk = stage.desk({"rules": {"paths": [os.path.join(stage.folder, "rules")]}, "syslog": {"tcp": [f"127.0.0.1:{tcp}"]}, "incidents": {"reminder": "1h"},
                       "mail": {"server": f"127.0.0.1:{sink.port}", "tls": "none", "from": "khien@anm.tinhmau.example.vn"},
                       "inputs": [{"name": "plain", "path": os.path.join(folder, "plain.log"), "format": "syslog"},
                                  {"name": "glob", "path": os.path.join(folder, "glob.log*"), "format": "syslog"}]}).start()
    desk.import_province()
    writer, sender, operator, killer = Writer(folder, draw, saved(desk)), Sender(tcp), Operator(desk, draw), Killer(desk, draw)
    writer.start()
    sender.start()
    start = time.monotonic()
    for n in range(kills):
        time.sleep(draw.uniform(0.05, 1.2))
        killer.once()
        if n % 5 == 2:
            operator.import_asset()
        if n % 5 == 4:
            operator.acknowledge()
    took = time.monotonic() - start
    say(f"{kills} kills in {took:.0f} s: " + ", ".join(f"{role} {n}" for role, n in sorted(killer.count.items())))
    operator.import_asset()
    writer.stop.set()
    writer.join()
    check(wait_for(lambda: len([r for r in desk.roles().values() if r["state"] == "up"]) >= 5, 40, 0.3), "all roles are up again")
    lines_are_exact(desk, writer)
    mails_are_exact(desk, sink, operator.acknowledged)
    states = {i["number"]: i["state"] for i in desk.items("incident", "list")}
    check(operator.acknowledged and all(states.get(n) == "acknowledged" for n in operator.acknowledged),
          f"{len(operator.acknowledged)} acknowledged incidents are acknowledged", {n: states.get(n) for n in operator.acknowledged})
    check({e for e in ("host:" + h for h in writer.hosts)} == {i["entity"] for i in desk.items("incident", "list")}, f"one incident for each of {len(writer.hosts)} hosts")
    names = collections.Counter(a["name"] for a in desk.items("asset", "list"))
    check(all(names[a] == 1 for a in operator.assets) and sum(names.values()) == 10 + len(operator.assets), f"{len(operator.assets)} imported assets, each once", names)
    before = desk.input("tcp").get("lines", 0)
    check(wait_for(lambda: desk.input("tcp").get("lines", 0) > before, 10), f"TCP goes on: {sender.sent} sent, {desk.input('tcp')['lines']} read, {sender.connects} connections")
    sender.stop.set()
    code, chain = desk.audit()
    check(code == 0 and chain["ok"], f"the audit chain of {chain['records']} records verifies")
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


harness.run(main)
