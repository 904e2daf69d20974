# SPDX-License-Identifier: Apache-2.0
"""harness.py - what the scenario scripts share: a desk of their own in a temporary folder, a mail server, checks.

A script calls harness.run(main). main gets a Stage: everything it starts there is ended and removed when it returns or
fails. The program under test is the script's first argument or KHIEN. Exit codes: 0 held, 1 did not, 77 skipped.
"""
import collections, email, email.policy, json, os, random, re, shutil, signal, socket, sqlite3, subprocess, sys, tempfile, time

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
tools = os.path.join(top, "tests/scenario/tools")
sample = os.path.join(top, "share/sample")
khien = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KHIEN", os.path.join(top, "build/src/cli/khien")))


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def say(text):
    print(f"{time.monotonic() - began:7.2f}  {text}", flush=True)


def check(holds, what, *facts):
    """A claim that ends the script when it does not hold."""
    if not holds:
        raise Failure(what + "".join(f"\n    {f!r}" for f in facts))
    say("ok  " + what)


def wait_for(what, seconds=20, step=0.05):
    """The first true value of what(), or its last value when time is up."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def seeded():
    """KHIEN_SEED, or one of the clock; printed, so that a run can be had again."""
    seed = int(os.environ.get("KHIEN_SEED", time.time_ns() % 1_000_000))
    say(f"seed {seed} (KHIEN_SEED={seed} runs it again)")
    return random.Random(seed)


def alive(pid):
    """Running: a zombie whose parent has not asked yet does not count."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid):
    """Processes below pid that run now."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                fields = f.read().rsplit(b")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] not in (b"Z", b"X"):
            found.append(int(name))
    return found


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    """What one command said."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise Failure(f"no JSON on standard output (exit {self.code}): {self.out!r} {self.err!r}") from None


class Sink:
    """tools/smtp-sink: a mail server that keeps every mail as a file, with faults on demand."""

    def __init__(self, stage, *options, port=0, folder=None):
        self.folder = folder or os.path.join(stage.folder, f"mails{len(stage.processes)}")
        self.process = stage.start([os.path.join(tools, "smtp-sink"), "--dir", self.folder, "--port", str(port), *options],
                                   stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.strip():
            raise Skip("tools/smtp-sink does not start (package python3-aiosmtpd)")
        self.port = int(line)

    def mails(self):
        return read_mails(self.folder, ".eml")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def read_mails(folder, suffix=""):
    """All mails of a folder, parsed, oldest first."""
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(suffix):
            with open(os.path.join(folder, name), "rb") as f:
                found.append(email.message_from_binary_file(f, policy=email.policy.default))
    return found


class Desk:
    """One desk: its state folder, configuration and process. Settings are given as nested dicts over the defaults below."""

    def __init__(self, stage, settings=None, folder=None, log_level="info", env=None):
        self.stage = stage
        self.folder = folder or tempfile.mkdtemp(dir=stage.folder, prefix="desk-")
        os.chmod(self.folder, 0o755)
        self.state = os.path.join(self.folder, "state")
        self.config = os.path.join(self.folder, "khien.yaml")
        self.log = os.path.join(stage.folder, f"desk-{len(stage.desks)}.log")  # not in a folder that may be unmounted
        self.env = dict(os.environ, KHIEN_STATE=self.state, KHIEN_LANG="en", **(env or {}))
        self.env.pop("KHIEN_CONFIG", None)
        # builds with sanitizers: the leak check traces its own process, which no sandbox lets it do
        self.env["ASAN_OPTIONS"] = "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")
        self.settings = {"language": "en", "state": self.state, "user": "nobody", "log_level": log_level,
                         "web": {"listen": "127.0.0.1:0"}, "rules": {"paths": [stage.rules]},
                         "store": {"min_free": "1MiB"}}
        self.configure(settings or {})
        self.process = None

    def configure(self, settings):
        """Changes the configuration file. YAML takes JSON as it is."""
        for key, value in settings.items():
            if isinstance(value, dict) and isinstance(self.settings.get(key), dict):
                self.settings[key] = {**self.settings[key], **value}
            else:
                self.settings[key] = value
        with open(self.config + ".new", "w", encoding="utf-8") as f:
            json.dump(self.settings, f, indent=1, ensure_ascii=False)
        os.rename(self.config + ".new", self.config)

    def start(self, wait=True, prefix=()):
        began_at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = self.stage.start([*prefix, khien, "serve", "--config", self.config], env=self.env, stderr=log)
        if wait:
            def ready():
                with open(self.log, encoding="utf-8", errors="replace") as f:
                    f.seek(began_at)
                    return re.search(r"https?://\S+", f.read()) or (self.process.poll() is not None and "ended")
            found = wait_for(ready, 60)
            if not found or found == "ended":
                raise Failure(f"the desk did not get ready\n{self.tail()}")
            self.address = found.group(0)
        return self

    def tail(self, lines=30):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def stop(self, sig=signal.SIGTERM, seconds=30):
        """Ends it; returns its exit code."""
        self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the desk did not stop in {seconds} s\n{self.tail()}") from None

    def cli(self, *words, ok=None, stdin=None):
        """One command. ok: demand (True) or forbid (False) exit code 0."""
        a = Answer(subprocess.run([khien, *words], env=self.env, capture_output=True, text=True, input=stdin, timeout=120))
        if ok is not None and (a.code == 0) != ok:
            raise Failure(f"khien {' '.join(words)}: exit {a.code}\n{a.out}{a.err}")
        return a

    def status(self):
        """Asks again while the desk is away, as an operator would."""
        answer = wait_for(lambda: (lambda a: a if a.code == 0 else None)(self.cli("status", "--json")), 20, 0.1)
        if not answer:
            raise Failure(f"no status\n{self.tail()}")
        return answer.json()

    def items(self, *words):
        """All rows of a list, page after page."""
        cursor, rows = (), []
        while True:
            page = self.cli(*words, "--limit", "200", *cursor, "--json", ok=True).json()
            rows += page["items"]
            if cursor and page["next"] == cursor[1]:
                raise Failure(f"{' '.join(words)}: the next page is the same page")
            if not page.get("next"):
                return rows
            cursor = ("--cursor", page["next"])

    def port(self, purpose):
        def look():
            for row in self.status()["roles"].get("supervisor", {}).get("listening", []):
                if row["purpose"] == purpose:
                    return int(row["address"].rsplit(":", 1)[1])
            return None
        return wait_for(look, 20) or self.stage.fail(f"nothing listens for {purpose}")

    def roles(self):
        return self.status()["roles"]

    def pid(self, role):
        return self.roles().get(role, {}).get("pid", 0)

    def input(self, name):
        """The row of one input in the status (name: its start), or {}."""
        for row in self.status()["inputs"]:
            if row["name"].startswith(name):
                return row
        return {}

    def import_province(self, folder=None):
        for kind in ("organisation", "contact", "system", "asset"):
            self.cli(kind, "import", os.path.join(folder or os.path.join(sample, "province"), kind + "s.csv"), ok=True)

    def findings(self):
        """(organisation, rule, entity without its kind) -> count."""
        seen = collections.Counter()
        for f in self.items("finding", "list"):
            seen[(f["organisation"], f["rule_id"], f["entity"].split(":", 1)[1])] += f["count"]
        return seen

    def audit(self):
        a = self.cli("audit", "verify", "--json")
        return a.code, a.json()

    def store(self):
        """The database, read only and apart from the desk."""
        return sqlite3.connect(f"file:{self.state}/store/khien.db?mode=ro", uri=True)

    def memory(self):
        """role -> (resident now, highest), bytes."""
        def measured():
            roles = {n: (r["memory"], r["memory_peak"]) for n, r in self.roles().items()}
            return roles if len(roles) >= 5 and all(m[0] for m in roles.values()) else None
        return wait_for(measured, 15, 0.3) or self.stage.fail("no memory figures")


class Stage:
    """What a script started, to be ended with it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="khien-scenario-")
        os.chmod(self.folder, 0o755)
        self.processes, self.desks = [], []
        # the sensor reads rules as an unprivileged user, who may not be let into this checkout
        self.rules = os.path.join(self.folder, "shipped-rules")
        shutil.copytree(os.path.join(top, "share/rules"), self.rules)
        for path, _, names in os.walk(self.rules):
            os.chmod(path, 0o755)
            for name in names:
                os.chmod(os.path.join(path, name), 0o644)

    def start(self, words, **more):
        p = subprocess.Popen(words, **more)
        self.processes.append(p)
        return p

    def desk(self, settings=None, **more):
        d = Desk(self, settings, **more)
        self.desks.append(d)
        return d

    def sink(self, *options, **more):
        return Sink(self, *options, **more)

    def fail(self, what):
        raise Failure(what)

    def end(self, failed):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in reversed(self.processes):
            try:
                p.wait(25)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if failed and self.desks:
            for d in self.desks:
                if os.path.exists(d.log):
                    print(f"---- the end of {d.log}\n{d.tail(60)}", file=sys.stderr)
        if failed and os.environ.get("KHIEN_KEEP"):
            print(f"kept: {self.folder}", file=sys.stderr)
            return
        shutil.rmtree(self.folder, ignore_errors=True)


def sanitized():
    """Whether the program under test was built with AddressSanitizer: its memory figures are not the program's own."""
    with open(khien, "rb") as f:
        return b"__asan_init" in f.read()


def crashes(stage):
    """What sanitizers and assertions left in the logs of roles: a role that died so was restarted, and may have passed unseen."""
    found = []
    for d in stage.desks:
        with open(d.log, encoding="utf-8", errors="replace") as f:
            found += re.findall(r".*(?:AddressSanitizer|runtime error:|Assertion `|signal=(?:11|6|4|31)\b).*", f.read())
    return found


def need_root(why):
    if os.geteuid() != 0:
        raise Skip(f"must be root: {why}")


def run(main):
    stage, code = Stage(), 1
    try:
        main(stage)
        found = crashes(stage)
        if found:
            raise Failure("a role crashed", *found[:5])
        code = 0
        say("held")
    except Skip as e:
        print(f"SKIPPED: {e}", flush=True)
        code = 77
    except Failure as e:
        print(f"FAILED: {e}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        stage.end(code == 1)
    sys.exit(code)


began = time.monotonic()
