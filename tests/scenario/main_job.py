#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end: recorded logs through real syslog sockets, findings, incidents, mails at a real mail server,
acknowledged with the code of the mail, closed, and an audit chain that holds and that shows one flipped byte."""
import os, re, sqlite3, subprocess, time
import harness
from harness import check, say, wait_for, sample, tools

MIB = 2**20


def expected():
    with open(os.path.join(sample, "expected-findings.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]
    return {(o, r, e): int(n) for o, r, e, n in rows}


class MailServer:
    """Exim if it can be had here, else smtp-sink; said plainly."""

    def __init__(self, stage):
        folder = os.path.join(stage.folder, "mta")
        cache = os.environ.get("KHIEN_MTA_PACKAGE")  # an unpacked package, for machines without a network
        os.makedirs(folder)
        if cache:
            os.symlink(cache, os.path.join(folder, "pkg"))
        p = stage.start([os.path.join(tools, "real-mta"), folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        port = p.stdout.readline().strip()
        if port:
            self.name, self.port, self.folder, self.suffix = "Exim", int(port), os.path.join(p.stdout.readline().strip(), "new"), ""
            return
        say("Exim cannot be had here (" + (p.stderr.read().strip().splitlines() or ["?"])[-1] + "): smtp-sink takes its place")
        sink = stage.sink()
        self.name, self.port, self.folder, self.suffix = "smtp-sink", sink.port, sink.folder, ".eml"

    def mails(self):
        return harness.read_mails(self.folder, self.suffix)


def play(port, *options):
    done = subprocess.run([os.path.join(tools, "play-sample"), *options, sample, str(port)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def compare(seen, want):
    wrong = {k: (want.get(k, 0), seen.get(k, 0)) for k in {*want, *seen} if want.get(k, 0) != seen.get(k, 0)}
    check(not wrong, f"{len(want)} findings of {sum(want.values())} hits, exactly as expected (organisation, rule, entity, count)", wrong)


def figures_of_memory(memory, which):
    return ", ".join(f"{n} {m[which] / MIB:.1f}" for n, m in sorted(memory.items()))


def mails_are_right(desk, mails, incidents):
    by_number = {}
    for m in mails:
        number = re.search(r"\b20\d\d-\d{6}\b", m["Subject"])
        if number is None:
            raise harness.Failure(f"no incident number in the subject {m['Subject']!r}")
        by_number.setdefault(number.group(0), []).append(m)
    check(set(by_number) == {i["number"] for i in incidents}, "every incident of an organisation with a contact was mailed", set(by_number))
    for i in incidents:
        shown = desk.cli("incident", "show", i["number"], "--json", ok=True).json()
        for m in by_number[i["number"]]:
            body = m.get_body(("plain",)).get_content()
            good = i["number"] in body and shown["code"] in body and "Sự cố" in body and "ncident" in body and "\ufffd" not in body
            if not good:
                check(False, "the mail holds number, code, Vietnamese and English", m["Subject"], body)
    say(f"ok  {len(mails)} mails: number, code, Vietnamese and English, decodable")


def exactly_once(desk, mails):
    ids = [m["Message-ID"] for m in mails]
    outbox = desk.items("outbox", "list")
    check(len(ids) == len(set(ids)), "no mail came twice (Message-ID)")
    sent = {m["id"] for m in outbox if m["state"] == "sent"}
    check({i.strip("<>").split("@")[0] for i in ids} == sent, f"the {len(sent)} mails that the outbox calls sent are those that came")


def acknowledge(desk, server):
    """Reminders come while nobody answers, none after the acknowledgement."""
    victim = desk.items("incident", "list")[0]["number"]
    code = desk.cli("incident", "show", victim, "--json", ok=True).json()["code"]

    def reminded():
        return [m for m in server.mails() if victim in m["Subject"]]

    first = len(reminded())
    check(wait_for(lambda: len(reminded()) >= first + 2, 30), f"reminders of {victim} come while nobody answers")
    desk.cli("incident", "ack", victim, "--code", "WRONG234", ok=False)
    check(desk.cli("incident", "show", victim, "--json").json()["state"] == "open", "a wrong code is refused and changes nothing")
    desk.cli("incident", "ack", victim, "--code", code, ok=True)
    wait_for(lambda: not any(m["state"] in ("queued", "sending", "committing") for m in desk.items("outbox", "list") if victim in m["subject"]), 10)
    time.sleep(0.5)
    last = len(reminded())
    others = len(server.mails())
    check(wait_for(lambda: len(server.mails()) > others + 2, 30), "reminders of the other incidents go on")
    time.sleep(4)
    check(len(reminded()) == last, f"no reminder of {victim} after the acknowledgement ({last} mails in all)")
    return victim


def flip_one_byte(desk, stage):
    """A copy of the store with one changed byte in one audit record: its number must be named."""
    copy = os.path.join(stage.folder, "copy.db")
    with desk.store() as source, sqlite3.connect(copy) as target:
        source.backup(target)
        n = source.execute("SELECT n FROM audit WHERE action = 'incident.ack' ORDER BY n").fetchone()[0]
    target.close()
    good = desk.cli("audit", "verify", "--store", copy, "--json")
    check(good.code == 0 and good.json()["ok"], "the copy verifies before it is touched", good.out, good.err)
    with open(copy, "rb") as f:
        raw = bytearray(f.read())
    at = raw.find(b"incident.ack")
    check(at > 0, "the record of the acknowledgement is found in the file")
    raw[at] ^= 1
    with open(copy, "wb") as f:
        f.write(raw)
    bad = desk.cli("audit", "verify", "--store", copy, "--json")
    check(bad.code != 0 and not bad.json()["ok"], "one flipped byte is seen", bad.out, bad.err)
    check(bad.json()["first_bad"] == n, f"and record {n} is named", bad.out)


def main(stage):
    server = MailServer(stage)
    desk = stage.desk({"syslog": {"tcp": ["127.0.0.1:0"], "udp": ["127.0.0.1:0"]}, "incidents": {"reminder": "2s", "reminders": 100},
                       "mail": {"server": f"127.0.0.1:{server.port}", "tls": "none", "from": "khien@anm.tinhmau.example.vn"}})
    desk.start()
    desk.import_province()
    tcp, udp = desk.port("syslog.tcp"), desk.port("syslog.udp")
    time.sleep(3)  # the roles have started and the supervisor has measured them at rest
    idle = desk.memory()
    total = sum(m[0] for m in idle.values())
    say(f"idle, with the sample province: {total / MIB:.1f} MB resident ({figures_of_memory(idle, 0)})")
    start, want = time.monotonic(), expected()
    say("TCP: " + play(tcp))
    wait_for(lambda: desk.findings() == want, 20, 0.2)
    took = time.monotonic() - start
    compare(desk.findings(), want)
    incidents = desk.items("incident", "list")
    high = {(f["organisation"], f["entity"]) for f in desk.items("finding", "list") if f["rule_level"] in ("high", "critical")}
    check({(i["organisation"], i["entity"]) for i in incidents} == high, f"{len(incidents)} incidents: one for each entity with a high or critical finding")
    check(wait_for(lambda: {i["number"] for i in incidents} <= {n for m in server.mails() for n in re.findall(r"20\d\d-\d{6}", m["Subject"])}, 30),
          f"{server.name} received a mail of each")
    opened = [m for m in desk.items("outbox", "list") if m["reason"] == "opened"]
    once = {(m["incident"] if "incident" in m else m.get("incident_id"), m["recipient"]) for m in opened}
    check(len(once) == len(opened), f"{len(opened)} first notices, each once an incident and person")
    mails_are_right(desk, server.mails(), incidents)
    victim = acknowledge(desk, server)
    desk.cli("incident", "close", victim, "Đã xử lý xong", ok=True)
    shown = desk.cli("incident", "show", victim, "--json").json()
    check(shown["state"] == "closed" and shown["close_reason"] == "Đã xử lý xong", "closed, with its reason", shown["state"])
    for i in desk.items("incident", "list"):
        if i["state"] == "open":
            desk.cli("incident", "ack", i["number"], ok=True)
    check(wait_for(lambda: not any(m["state"] in ("queued", "sending", "committing") for m in desk.items("outbox", "list")), 20), "the outbox comes to rest")
    mails = server.mails()
    exactly_once(desk, mails)
    say("UDP: " + play(udp, "--udp", "--rate", "4000"))
    lines = 6976
    check(wait_for(lambda: desk.input("udp").get("lines") == lines, 20), f"{lines} datagrams came through", desk.input("udp"))
    twice = {k: 2 * n for k, n in want.items()}
    wait_for(lambda: desk.findings() == twice, 10, 0.2)
    check(desk.findings() == twice, "the same attacks by UDP join the same findings")
    code, chain = desk.audit()
    check(code == 0 and chain["ok"], f"the audit chain of {chain['records']} records verifies")
    flip_one_byte(desk, stage)
    peak = desk.memory()
    say(f"lines={lines} events={desk.input('tcp')['events']} findings={len(want)} incidents={len(incidents)} mails={len(mails)} seconds={took:.2f}")
    say(f"peak {sum(m[1] for m in peak.values()) / MIB:.1f} MB ({figures_of_memory(peak, 1)})")
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")
    if harness.sanitized():
        say("built with AddressSanitizer: its memory is not judged")
        return
    check(total < 60 * MIB, f"idle memory is below 60 MB ({total / MIB:.1f})")


os.environ.pop("MALLOC_PERTURB_", None)  # it writes to all memory that is taken: the figures would be its own
harness.run(main)
