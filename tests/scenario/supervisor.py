#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The supervisor: what it tells the service manager, a reload that is taken and one that is refused, one desk a state folder, a
role that dies again and again, and an end without remains - asked for, or by kill -9."""
import os, select, signal, socket, ssl, subprocess, time
import harness, ground
from harness import alive, check, children_of, say, wait_for


class Manager:
    """The socket of a service manager (sd_notify)."""

    def __init__(self, stage):
        self.path = os.path.join(stage.folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []  # (when, line)

    def listen(self, seconds=0.0):
        end = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0.0, end - time.monotonic()))[0]:
            for line in self.socket.recv(4096).decode().splitlines():
                self.heard.append((time.monotonic(), line))
        return [line for _, line in self.heard]


def named(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            return f.read().strip().removeprefix("khien-")
    except OSError:
        return ""


def children(desk):
    """role -> pid, asked of the system and not of the desk."""
    return {named(pid): pid for pid in children_of(desk.process.pid)}


def hits(desk):
    return {r["rule_id"]: r["count"] for r in desk.items("finding", "list")}


def notices(stage):
    """READY when it is ready and not before, WATCHDOG as often as asked, STOPPING; then nothing is left."""
    manager = Manager(stage)
    desk = stage.desk(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"})
    desk.start()
    check("READY=1" in manager.listen(1), "READY=1 is said", manager.heard)
    check(desk.cli("status").code == 0, "and the desk answers then")
    manager.listen(3)
    beats = [when for when, line in manager.heard if line == "WATCHDOG=1"]
    gaps = [b - a for a, b in zip(beats, beats[1:])]
    check(len(beats) >= 5 and max(gaps) < 1, f"WATCHDOG=1 comes {len(beats)} times, {max(gaps):.2f} s apart at most, when 1 s is the limit", gaps)
    pids = list(children(desk).values())
    check(desk.stop() == 0, "SIGTERM ends it with 0")
    check("STOPPING=1" in manager.listen(), "STOPPING=1 was said", manager.heard)
    check(manager.listen().count("READY=1") == 1, "READY=1 was said once")
    check(not any(map(alive, pids)), f"none of {len(pids)} processes is left")
    check(not os.path.exists(os.path.join(desk.state, "control.sock")), "nor the control socket")


def reload_settled(desk, before):
    """All four roles have started anew and are up."""
    def looks():
        now = children(desk)
        return {"desk", "sensor", "courier", "web"} <= set(now) and not set(now.values()) & set(before.values())
    check(wait_for(looks, 20), "one role after the other starts anew", children(desk), before)
    check(wait_for(lambda: len([r for r in desk.roles().values() if r["state"] == "up"]) >= 5, 10), "and all are up")


def reload(desk, rules):
    desk.cli("status", ok=True)
    port = desk.port("syslog.tcp")
    ground.rule(rules, 2, "freshword")
    ground.send(port, "web01", "firstword", "freshword")
    check(wait_for(lambda: hits(desk) == {ground.rule_id(1): 1}, 10), "before the reload the old rule hits and the new one is not known", hits(desk))
    before, main = children(desk), desk.process.pid
    desk.process.send_signal(signal.SIGHUP)
    reload_settled(desk, before)
    check(desk.port("syslog.tcp") == port and desk.process.pid == main, "the sockets stayed open")
    ground.send(port, "web01", "firstword", "freshword")
    check(wait_for(lambda: hits(desk) == {ground.rule_id(1): 2, ground.rule_id(2): 1}, 10), "after it both hit", hits(desk))


def fingerprint(desk):
    """Of the certificate that the web role shows now."""
    port = int(desk.address.rstrip("/").rsplit(":", 1)[1])
    return ssl.get_server_certificate(("127.0.0.1", port))


def reload_certificate(desk):
    """A renewed certificate is taken, as one of days must be."""
    shown, folder = fingerprint(desk), os.path.join(desk.state, "tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "certificate.pem"), "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    before = children(desk)
    desk.process.send_signal(signal.SIGHUP)
    reload_settled(desk, before)
    with open(os.path.join(folder, "certificate.pem"), encoding="utf-8") as f:
        check(fingerprint(desk) == f.read() != shown, "a renewed certificate is shown after SIGHUP")


def refused_reload(desk):
    key = os.path.join(desk.state, "tls/key.pem")
    for path, bad, why in ((desk.config, "language: en\nlangauge: en\n", "an unknown key"), (desk.config, "web: {listen: [", "no YAML"),
                           (desk.config, "web: {tls: perhaps}\n", "a bad value"),
                           (desk.config, "mail: {server: '127.0.0.1:smtp'}\n", "no mail server"), (key, "no key\n", "a key that does not fit")):
        before, at = children(desk), os.path.getsize(desk.log)
        with open(path, encoding="utf-8") as f:
            good = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(bad)
        desk.process.send_signal(signal.SIGHUP)

        def said():
            with open(desk.log, "rb") as f:
                f.seek(at)
                return b"reload_refused" in f.read()

        check(wait_for(said, 5), f"a configuration with {why} is refused, in the log")
        time.sleep(0.3)
        check(children(desk) == before, "and nothing restarts")
        with open(path, "w", encoding="utf-8") as f:
            f.write(good)
    counts = hits(desk)
    ground.send(desk.port("syslog.tcp"), "web01", "firstword")
    check(wait_for(lambda: hits(desk).get(ground.rule_id(1)) == counts[ground.rule_id(1)] + 1, 10), "the desk goes on with the old settings")


def second_desk(desk):
    done = subprocess.run([harness.khien, "serve", "--config", desk.config], env=desk.env, capture_output=True, text=True, timeout=20)
    check(done.returncode == 69 and desk.state in done.stderr, "a second desk on this state folder is refused, with its name (EX_UNAVAILABLE)",
          done.returncode, done.stderr)
    check(desk.cli("status").code == 0 and len(children(desk)) >= 4, "and the first one goes on")


def crash_loop(desk):
    """Killed as soon as it runs: each restart waits longer than the one before."""
    waits = []
    pid = children(desk)["web"]
    for _ in range(6):
        os.kill(pid, signal.SIGKILL)
        start = time.monotonic()
        found = wait_for(lambda: (lambda p: p if p and p != pid else None)(children(desk).get("web")), 20, 0.01)
        if not found:
            check(False, "a killed role comes back", children(desk))
        waits.append(time.monotonic() - start)
        pid = found
    say("back after " + ", ".join(f"{w:.2f}" for w in waits) + " s")
    check(waits[0] < 0.5, "a role that dies once is back within half a second", waits)
    check(waits[5] > 1.2 and waits[5] > waits[4] > waits[3], "one that dies again and again waits longer each time", waits)
    check(wait_for(lambda: desk.roles().get("web", {}).get("restarts", 0) >= 6, 10), "and the status counts it", desk.roles().get("web"))
    check(all(desk.roles()[r]["state"] == "up" for r in ("desk", "sensor", "courier")), "the other roles never noticed")


def supervisor_dies(desk):
    pids = children(desk)
    desk.process.kill()
    desk.process.wait(10)
    check(wait_for(lambda: not any(alive(p) for p in pids.values()), 10), f"the supervisor is killed: all of {sorted(pids)} end by themselves")
    check(desk.cli("status").code == 69, "the command line says that no desk is there (EX_UNAVAILABLE)")
    desk.start()
    counts = hits(desk)
    ground.send(desk.port("syslog.tcp"), "web01", "firstword")
    check(wait_for(lambda: hits(desk).get(ground.rule_id(1)) == counts[ground.rule_id(1)] + 1, 10), "the next one takes over the folder, and works")
    code, chain = desk.audit()
    check(code == 0 and chain["ok"], "the audit chain verifies")


def stop_at_once(stage):
    """SIGTERM before it is ready: it ends all the same."""
    desk = stage.desk()
    desk.start(wait=False)
    time.sleep(0.15)
    pids = children(desk)
    check(desk.stop() == 0, f"SIGTERM while {len(pids)} roles are starting: ends with 0")
    check(not any(map(alive, pids.values())), "and nothing is left", pids)


def main(stage):
    notices(stage)
    stop_at_once(stage)
    rules = os.path.join(stage.folder, "rules")
    ground.rule(rules, 1, "firstword")
    desk = stage.desk({"syslog": {"tcp": ["127.0.0.1:0"]}, "rules": {"paths": [rules]}})
    desk.start()
    second_desk(desk)
    reload(desk, rules)
    reload_certificate(desk)
    refused_reload(desk)
    crash_loop(desk)
    supervisor_dies(desk)
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


harness.run(main)
