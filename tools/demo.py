#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""demo.py - the part of ./demo that runs the desk: state folder, mail server, players, figures, verdict."""
import argparse, collections, email, email.policy, json, os, re, shutil, signal, subprocess, sys, tempfile, time

a = argparse.ArgumentParser()
a.add_argument("--khien", required=True)
a.add_argument("--built-in", type=int, default=0)
a.add_argument("--once", action="store_true")
opt = a.parse_args()

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
khien = os.path.abspath(opt.khien)
sample = os.path.join(top, "share/sample")
tools = os.path.join(top, "tests/scenario/tools")
vi = not (os.environ.get("KHIEN_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "").startswith("en")


def say(text_vi, text_en):
    print(text_vi if vi else text_en, flush=True)


def run(*words, **more):
    return subprocess.run([khien, *words], env=env, capture_output=True, text=True, check=True, **more).stdout


def items(*words):
    """All pages of a list."""
    cursor, rows = [], []
    while True:
        page = json.loads(run(*words, "--limit", "200", *cursor, "--json"))
        rows += page["items"]
        if not page.get("next"):
            return rows
        cursor = ["--cursor", page["next"]]


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.1)
    return None


folder = tempfile.mkdtemp(prefix="khien-demo-")
os.chmod(folder, 0o755)
children = []
env = dict(os.environ, KHIEN_LANG="vi" if vi else "en", KHIEN_STATE=os.path.join(folder, "state"))
env.pop("KHIEN_CONFIG", None)


def start_mail_server():
    mails = os.path.join(folder, "mails")
    p = subprocess.Popen([os.path.join(tools, "smtp-sink"), "--dir", mails], stdout=subprocess.PIPE, text=True)
    children.append(p)
    return mails, int(p.stdout.readline())


def readable_rules():
    """The sensor reads them as an unprivileged user, who may not reach this checkout."""
    rules = os.path.join(folder, "rules")
    shutil.copytree(os.path.join(top, "share/rules"), rules)
    for path, _, names in os.walk(rules):
        os.chmod(path, 0o755)
        for name in names:
            os.chmod(os.path.join(path, name), 0o644)
    return rules


def start_desk(smtp_port):
    config = os.path.join(folder, "khien.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""language: {"vi" if vi else "en"}
time_zone: "+00:00"  # the recorded hosts ran on UTC
state: {folder}/state
user: nobody
log_level: warning
web: {{listen: "127.0.0.1:0"}}
syslog: {{tcp: ["127.0.0.1:0"], udp: ["127.0.0.1:0"]}}
rules: {{paths: ["{readable_rules()}"]}}
mail: {{server: "127.0.0.1:{smtp_port}", tls: none, from: "khien@anm.tinhmau.example.vn"}}
store: {{min_free: 1MiB}}
""")
    log = os.path.join(folder, "log")
    with open(log, "wb") as to:
        p = subprocess.Popen([khien, "serve", "--config", config], env=env, stderr=to)
    children.append(p)

    def address():
        with open(log, encoding="utf-8", errors="replace") as f:
            return re.search(r"https?://\S+", f.read())
    found_address = wait_for(lambda: address() or p.poll() is not None, 60)
    if not isinstance(found_address, re.Match):
        with open(log, encoding="utf-8", errors="replace") as f:
            sys.exit("the desk did not get ready within 60 s:\n" + f.read())
    return p, found_address.group(0)


def port_of(purpose):
    """As the desk says it listens, once the supervisor has told it."""
    def look():
        status = json.loads(run("status", "--json"))
        for row in status.get("roles", {}).get("supervisor", {}).get("listening", []):
            if row["purpose"] == purpose:
                return int(row["address"].rsplit(":", 1)[1])
    return wait_for(look, 20) or sys.exit("no " + purpose)


def expected():
    with open(os.path.join(sample, "expected-findings.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]
    return {(o, r, e): int(n) for o, r, e, n in rows}


def found():
    seen = collections.Counter()
    for f in items("finding", "list"):
        seen[(f["organisation"], f["rule_id"], f["entity"].split(":", 1)[1])] += f["count"]
    return seen


def memory():
    roles = json.loads(run("status", "--json"))["roles"]
    return {name: (r["memory"], r["memory_peak"]) for name, r in roles.items()}


def mails_in(path):
    return sorted(os.path.join(path, n) for n in os.listdir(path) if n.endswith(".eml")) if os.path.isdir(path) else []


def subject(path):
    with open(path, "rb") as f:
        return email.message_from_binary_file(f, policy=email.policy.default)["Subject"]


def main():
    mails, smtp_port = start_mail_server()
    desk, address = start_desk(smtp_port)
    for kind in ("organisation", "contact", "system", "asset"):
        run(kind, "import", os.path.join(sample, "province", kind + "s.csv"))
    tcp = port_of("syslog.tcp")
    wait_for(lambda: "worker" not in memory(), 10)
    idle = sum(m[0] for m in memory().values())
    say("Tỉnh mẫu đã nạp. Đang phát lại nhật ký qua syslog TCP ...", "The sample province is in. Playing its logs through syslog over TCP ...")
    start = time.monotonic()
    played = subprocess.run([os.path.join(tools, "play-sample"), sample, str(tcp)], capture_output=True, text=True, check=True).stdout
    want = expected()
    wait_for(lambda: found() == want, 30)
    took = time.monotonic() - start
    seen, incidents = found(), items("incident", "list")
    # one mail an incident at least, or its severity rose and a second one followed
    wait_for(lambda: all(m["state"] == "sent" for m in items("outbox", "list")), 30)
    outbox, files = items("outbox", "list"), mails_in(mails)
    status = json.loads(run("status", "--json"))
    mem = memory()
    audit = subprocess.run([khien, "audit", "verify", "--json"], env=env, capture_output=True, text=True)
    chain = json.loads(audit.stdout)
    lost = {k: (n, seen.get(k, 0)) for k, n in want.items() if seen.get(k, 0) != n}
    extra = {k: n for k, n in seen.items() if k not in want}
    events = sum(i.get("events", 0) for i in status["inputs"])

    print()
    say("Sự cố:", "Incidents:")
    print(subprocess.run([khien, "incident", "list", "--limit", "50"], env=env, capture_output=True, text=True).stdout)
    if files:
        say(f"Thư đầu tiên: {subject(files[0])}", f"First mail: {subject(files[0])}")
    print()
    n_sent = sum(m["state"] == "sent" for m in outbox)
    rows = [
        ("đã phát", "played", played.strip()),
        ("sự kiện", "events", f"{events}  ({took:.1f} s)"),
        ("phát hiện", "findings", f"{len(seen)}  ({sum(seen.values())} hits; {len(want) - len(lost)}/{len(want)} as expected)"),
        ("sự cố", "incidents", str(len(incidents))),
        ("thư", "mails", f"{len(files)}  ({n_sent} sent, {len(outbox)} queued in all)"),
        ("chuỗi kiểm toán", "audit chain", f"{chain['records']} records, {'ok' if chain['ok'] else 'BROKEN'}"),
        ("bộ nhớ lúc rảnh", "memory, idle", f"{idle / 2**20:.1f} MB" if idle else "?"),
        ("bộ nhớ cao nhất", "memory, peak", f"{sum(m[1] for m in mem.values()) / 2**20:.1f} MB  (" +
         ", ".join(f"{n} {m[1] / 2**20:.1f}" for n, m in sorted(mem.items())) + ")"),
        ("bàn trực", "desk", address),
        ("thư nhận được", "mail folder", mails),
    ]
    for v, e, value in rows:
        print(f"  {(v if vi else e):<18} {value}")
    print()
    for (o, r, e), (n, got) in sorted(lost.items()):
        print(f"MISSING {o} {r} {e}: expected {n}, found {got}")
    for (o, r, e), n in sorted(extra.items()):
        print(f"UNEXPECTED {o} {r} {e}: {n}")
    ok = not lost and not extra and chain["ok"] and incidents and n_sent == len(outbox) == len(files) and len(files) >= len(incidents)
    if opt.once or not ok:
        say("Mọi thứ phải thấy đều đã thấy." if ok else "HỎNG: xem các dòng trên.", "All that should be found was found." if ok else "FAILED: see the lines above.")
        return 0 if ok else 1
    say(f"Bàn trực đang chạy; Ctrl-C để dừng. Thử:  KHIEN_STATE={env['KHIEN_STATE']} {opt.khien} incident list",
        f"The desk is running; Ctrl-C stops it. Try:  KHIEN_STATE={env['KHIEN_STATE']} {opt.khien} incident list")
    desk.wait()
    return 0


code = 1
try:
    code = main()
except KeyboardInterrupt:
    code = 0
except subprocess.CalledProcessError as e:
    print("khien", *e.cmd[1:], "->", e.returncode, e.stderr, file=sys.stderr)
finally:
    for p in reversed(children):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
    for p in reversed(children):
        try:
            p.wait(30)
        except subprocess.TimeoutExpired:
            p.kill()
    shutil.rmtree(folder, ignore_errors=True)
sys.exit(code)
