#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A mail server that is busy, refuses, falls silent after the message, is away, speaks only TLS, asks for a password. What
must hold: a mail is tried again when it surely was not delivered, never by itself when it may have been, and no password and
no mail leave over a connection that proves nothing."""
import datetime, json, os, time
import harness, ground
from harness import check, say, wait_for

RESTING = ("queued", "sent", "uncertain", "failed", "expired", "cancelled")


class Case:
    """One desk and one port at which mail servers with different manners follow each other."""

    def __init__(self, stage):
        self.stage, self.mail_port = stage, harness.free_port()
        rules = os.path.join(stage.folder, "rules")
        ground.rule(rules, 1, "attackword")
        self.desk = stage.desk({"syslog": {"tcp": ["127.0.0.1:0"]}, "rules": {"paths": [rules]},
                                "mail": {"server": f"127.0.0.1:{self.mail_port}", "tls": "none", "timeout": "3s",
                                         "from": "khien@anm.tinhmau.example.vn"}})
        self.desk.start()
        ground.province(self.desk)
        self.server = None

    def serve(self, *options):
        self.away()
        self.server = self.stage.sink(*options, port=self.mail_port)

    def away(self):
        if self.server is not None and self.server.process.poll() is None:
            self.server.stop()

    def later(self, seconds, settings=None):
        """The desk goes through a restart, after which its mails are older by so much."""
        check(self.desk.stop() == 0, f"the desk stops; {seconds} s pass")
        ground.time_passes(self.desk, seconds)
        self.desk.configure(settings or {})
        self.desk.start()

    def attack(self, host):
        ground.send(self.desk.port("syslog.tcp"), host, "attackword")

    def mail(self, host):
        found = [m for m in self.desk.items("outbox", "list") if f"{host}." in m["subject"]]
        if len(found) > 1:
            raise harness.Failure(f"more than one mail about {host}", found)
        return found[0] if found else {}

    def rests(self, host, tried, seconds=12):
        """The mail about this host, once it was tried so often and is in nobody's hands."""
        return wait_for(lambda: (lambda m: m if m.get("state") in RESTING and m["attempts"] >= tried else None)(self.mail(host)), seconds, 0.2) \
            or self.stage.fail(f"the mail about {host} was not tried {tried} times: {self.mail(host)}")

    def becomes(self, host, state, seconds=12):
        return bool(wait_for(lambda: self.mail(host).get("state") == state, seconds, 0.2))

    def received(self, host):
        return [m for m in self.server.mails() if f"{host}." in m["Subject"]]


def seconds_between(a, b):
    return (datetime.datetime.fromisoformat(b[:19]) - datetime.datetime.fromisoformat(a[:19])).total_seconds()


def busy(c):
    c.serve("--tempfail", "1")
    c.attack("busy01")
    m = c.rests("busy01", 1)
    check(m["state"] == "queued" and "try again later" in m["last_error"], "451: the mail waits for another try, with the server's words", m)
    check(28 <= seconds_between(m["created"], m["next"]) <= 42, "the next try is half a minute away, and up to a quarter more", m)
    check(not c.received("busy01"), "nothing was delivered")
    c.later(60)
    m = c.rests("busy01", 2)
    check(m["state"] == "sent" and m["attempts"] == 2, "it is sent by itself at the second try", m)
    check(len(c.received("busy01")) == 1, "and came once")


def silent(c):
    c.serve("--drop-after-data", "1")
    c.attack("silent01")
    m = c.rests("silent01", 1)
    check(m["state"] == "uncertain", "the connection breaks after the message: uncertain", m)
    check(len(c.received("silent01")) == 1, "the server had kept it")
    c.later(3600)
    time.sleep(2.5)  # two ticks of the desk, in which a mail that is due goes out
    m = c.mail("silent01")
    check(m["state"] == "uncertain" and m["attempts"] == 1 and len(c.received("silent01")) == 1, "it is not sent again by itself", m)
    c.desk.cli("outbox", "resend", m["id"], ok=True)
    check(c.becomes("silent01", "sent"), "an operator's word sends it again")
    ids = {x["Message-ID"] for x in c.received("silent01")}
    check(len(c.received("silent01")) == 2 and len(ids) == 1, "under the same Message-ID, so that a mail program sees the twin", ids)


def refusing(c):
    c.serve("--permfail", ground.PERSON)
    c.attack("refused01")
    m = c.rests("refused01", 1)
    check(m["state"] == "failed" and "no such mailbox" in m["last_error"], "550: failed, with the server's words", m)
    refused = c.desk.cli("outbox", "cancel", m["id"])
    check(refused.code == 65, "what failed cannot be cancelled: EX_DATAERR", refused.err)


def away(c):
    c.away()
    c.attack("away01")
    c.attack("stale01")
    m = c.rests("away01", 1)
    check(m["state"] == "queued" and m["last_error"], "no server: the mail waits, with the reason", m)
    c.rests("stale01", 1)
    c.desk.cli("outbox", "cancel", c.mail("stale01")["id"], ok=True)
    check(c.mail("stale01")["state"] == "cancelled", "an operator takes one back")
    c.serve()
    c.later(60)
    check(c.rests("away01", 2)["state"] == "sent" and len(c.received("away01")) == 1, "the server is back: it is sent, once")
    check(c.mail("refused01")["attempts"] == 1, "the refused one was not tried again")
    check(not c.received("stale01"), "the cancelled one was not sent")


def stale(c):
    c.away()
    c.attack("old01")
    c.rests("old01", 1)
    c.serve()
    c.later(2 * 86400)
    check(c.becomes("old01", "expired"), "a mail past its day expires", c.mail("old01"))
    check(not c.received("old01"), "and is not sent")
    c.desk.cli("outbox", "resend", c.mail("old01")["id"], ok=True)
    check(c.becomes("old01", "sent") and len(c.received("old01")) == 1, "unless an operator says so", c.mail("old01"))


def guarded(c):
    """TLS with a certificate that must be trusted, and a password that must be right."""
    certificate, password = os.path.join(c.stage.folder, "relay.pem"), os.path.join(c.stage.folder, "password")
    c.serve("--starttls", "--require-tls", "--cert-out", certificate, "--auth", "khien:correct-horse")
    with open(password, "w", encoding="utf-8") as f:
        f.write("wrong\n")
    os.chmod(password, 0o600)
    c.later(1, {"mail": {"tls": "starttls", "server": f"localhost:{c.mail_port}", "user": "khien", "password_file": password}})
    c.attack("guarded01")
    m = c.rests("guarded01", 1)
    check(m["state"] == "queued" and "certificate" in m["last_error"].lower(), "a certificate that nobody vouches for: not sent", m)
    c.later(60, {"mail": {"ca_file": certificate}})
    m = c.rests("guarded01", 2)
    check(m["state"] == "queued" and "certificate" not in m["last_error"].lower(), "trusted, but the password is wrong: not sent", m)
    with open(password, "w", encoding="utf-8") as f:
        f.write("correct-horse\n")
    c.later(120)
    check(c.rests("guarded01", 3)["state"] == "sent", "with the right password it is sent")
    names = [n for n in os.listdir(c.server.folder) if n.endswith(".json")]
    with open(os.path.join(c.server.folder, names[0]), encoding="utf-8") as f:
        envelope = json.load(f)
    check(len(names) == 1 and envelope["tls"] and envelope["authenticated"] and envelope["to"] == [ground.PERSON],
          "one mail came, over TLS, with a login", envelope)
    shown = c.desk.cli("config", "print", "--config", c.desk.config).out
    with open(c.desk.log, encoding="utf-8", errors="replace") as f:
        check("correct-horse" not in f.read() + shown, "the password is in no log and in no printed configuration")


def main(stage):
    c = Case(stage)
    for step in (busy, silent, refusing, away, stale, guarded):
        step(c)
    code, chain = c.desk.audit()
    check(code == 0 and chain["ok"], "the audit chain verifies")
    actions = [r["action"] for r in c.desk.items("audit", "list") if r["action"].startswith("outbox")]
    say(f"audited: {sorted(actions)}")
    check(len(actions) == 3, "two words to send again and one to take back are in the audit chain", actions)
    check(c.desk.stop() == 0, "SIGTERM ends the desk with 0")


harness.run(main)
