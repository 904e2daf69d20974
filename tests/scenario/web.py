#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web role from outside, over HTTPS with the desk's own certificate as the only one that is trusted: who may come in, what
is refused and how, a desk that dies behind it, and clients that hold connections without using them."""
import http.client, json, os, resource, signal, socket, ssl, threading, time
import harness
from harness import alive, check, say, wait_for

MIB = 2**20
IDLE, ADDRESSES, SLOW = 2000, 40, 50


class Client:
    """Asks over HTTPS; the certificate must be the desk's and must name localhost."""

    def __init__(self, desk):
        self.port = int(desk.address.rstrip("/").rsplit(":", 1)[1])
        self.trust = ssl.create_default_context(cafile=os.path.join(desk.state, "tls/certificate.pem"))

    def connect(self, address="127.0.0.1", seconds=10):
        plain = socket.create_connection(("127.0.0.1", self.port), seconds, source_address=(address, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or our own system waits 40 ms for a delayed ACK
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def ask(self, path, token=None, method="GET", body=None, headers=None, address="127.0.0.1"):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=10)  # the socket below brings the TLS
        connection.sock = self.connect(address)
        lines = dict(headers or {}, **({"Authorization": f"Bearer {token}"} if token else {}))
        try:
            connection.request(method, path, body, lines)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status_of(self, *words, **more):
        return self.ask(*words, **more)[0]


def figure(text, name):
    """One value of the Prometheus text."""
    for line in text.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return None


def who_may_come_in(desk, web):
    status, headers, body = web.ask("/healthz")
    check(status == 200 and body == b"ok\n", "/healthz: 200 for everybody", status, body)
    wanted = {"Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy", "Cache-Control"}
    check(wanted <= set(headers.keys()), "with the security headers", headers.items())
    try:
        socket_of_anyone = ssl.create_default_context().wrap_socket(
            socket.create_connection(("127.0.0.1", web.port), 5), server_hostname="localhost")
        socket_of_anyone.close()
        check(False, "a client that does not know the certificate refuses it")
    except ssl.SSLCertVerificationError:
        say("ok  a client that does not know the certificate refuses it")
    for path in ("/metrics", "/api/v1/status"):
        status, headers, body = web.ask(path)
        check(status == 401 and headers["WWW-Authenticate"] and json.loads(body)["status"] == 401, f"{path} without a token: 401", status, headers.items(), body)
        check(web.status_of(path, "khien_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") == 401, f"{path} with a token that nobody gave out: 401")
    read = desk.cli("token", "create", "reader", "--scope", "read", "--json", ok=True).json()
    act = desk.cli("token", "create", "operator", "--scope", "operate", "--json", ok=True).json()
    status, headers, body = web.ask("/api/v1/status", read["token"])
    check(status == 200 and "roles" in json.loads(body), "/api/v1/status with a token: 200", status, body[:200])
    status, headers, body = web.ask("/metrics", read["token"])
    check(status == 200 and headers["Content-Type"].startswith("text/plain") and figure(body, "khien_http_connections") >= 1,
          "/metrics with a token: 200, Prometheus text", status, headers.items(), body[:200])
    mute = json.dumps({"entity": "host:x", "reason": "a test", "expires": "1h"})
    check(web.status_of("/api/v1/mutes", read["token"], "POST", mute) == 403, "a token that may read may not change: 403")
    check(web.status_of("/api/v1/tokens", act["token"]) == 403, "a token that may operate may not see tokens: 403")
    check(web.status_of("/api/v1/mutes", act["token"], "POST", mute) == 201, "a token that may operate mutes: 201")
    check(read["token"] not in desk.cli("token", "list", "--json").out, "the list of tokens does not show the secret")
    return read, act


def what_is_refused(web, act):
    status, headers, body = web.ask("/api/v1/nothing", act["token"])
    check(status == 404 and headers["Content-Type"] == "application/problem+json", "404, as a problem document (RFC 9457)", status, headers.items(), body)
    check(web.status_of("/../../etc/passwd") in (400, 404), "no file is served")
    status, headers, _ = web.ask("/api/v1/status", act["token"], "POST", "{}")
    check(status == 405 and headers["Allow"].replace(" ", "") in ("GET", "GET,HEAD", "HEAD,GET"), "405, with Allow", status, headers.items())
    status, headers, _ = web.ask("/api/v1/mutes", act["token"], "DELETE")
    check(status == 405 and "GET" in headers["Allow"] and "POST" in headers["Allow"], "405 where two methods are allowed", headers.items())
    check(web.status_of("/api/v1/mutes", act["token"], "POST", b"x" * 20000) == 413, "413 for a body past the route's limit")
    check(web.status_of("/api/v1/mutes", act["token"], "POST", b"{") == 400, "400 for half a document")
    check(web.status_of("/" + "a" * 6000) == 414, "414 for an endless path")
    for what in (b"\x00\xff\x16\x03rubbish\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", web.port), 5) as s:
            s.sendall(what)
            s.settimeout(5)
            try:
                answer = s.recv(4096)
            except ConnectionResetError:
                answer = b""
            check(b"ok" not in answer, f"no plain text on the port of HTTPS ({what[:4]!r})", answer)
    check(web.status_of("/healthz") == 200, "and the next client is served")


def tokens_end(desk, web, read):
    desk.cli("token", "revoke", read["id"], ok=True)
    check(web.status_of("/api/v1/status", read["token"]) == 401, "a revoked token: 401 at once")
    short = desk.cli("token", "create", "short", "--scope", "read", "--expires", "1s", "--json", ok=True).json()
    check(web.status_of("/api/v1/status", short["token"]) == 200, "a token of one second: 200")
    time.sleep(1.1)
    check(web.status_of("/api/v1/status", short["token"]) == 401, "and 401 after it")


def living(desk, role):
    """Its process; the desk hears of it from the supervisor some moments after its own start."""
    return wait_for(lambda: (lambda p: p if p > 0 and alive(p) else None)(desk.pid(role)), 10) or desk.stage.fail(f"no {role}")


def desk_dies(desk, web, act):
    pid, web_pid = living(desk, "desk"), living(desk, "web")
    os.kill(pid, signal.SIGKILL)
    seen, end = set(), time.monotonic() + 10
    while time.monotonic() < end:
        seen.add(web.status_of("/healthz"))
        answer = web.status_of("/api/v1/status", act["token"])
        seen.add(answer)
        if answer == 200 and not alive(pid) and desk.pid("desk") not in (0, pid):
            break
    check(seen <= {200, 503}, "the desk is killed: 503 or 200, never anything else", seen)
    check(web.status_of("/api/v1/status", act["token"]) == 200, f"it answers again by itself (seen: {sorted(seen)})")
    check(living(desk, "web") == web_pid, "and the web role never restarted")


def desk_stands(desk, web, act):
    """A desk that is stopped in the middle of a request and then dies: the waiting client is told."""
    pid = living(desk, "desk")
    os.kill(pid, signal.SIGSTOP)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(web.status_of("/api/v1/status", act["token"])))
    asking.start()
    time.sleep(0.3)
    check(not answers and web.status_of("/healthz") == 200, "while the desk stands, a request waits and the web role goes on")
    os.kill(pid, signal.SIGKILL)
    asking.join(10)
    check(answers == [503], "it dies: the request that waited gets 503", answers)
    check(wait_for(lambda: web.status_of("/healthz") == 200 and web.status_of("/api/v1/status", act["token"]) == 200, 10), "and the next one 200")


def slow_and_idle(desk, web, act):
    """Clients that open and say nothing, and clients that say one byte at a time, beside one that works."""
    quick = []

    def timed():
        start = time.monotonic()
        status = web.status_of("/api/v1/status", act["token"], address="127.0.1.1")
        quick.append(time.monotonic() - start)
        return status

    held = [socket.create_connection(("127.0.0.1", web.port), 5, source_address=(f"127.0.0.{2 + i % ADDRESSES}", 0)) for i in range(IDLE)]
    slow = [web.connect("127.0.2.1") for _ in range(SLOW)]
    for s in slow:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    opened, dropped = time.monotonic(), 0
    status, _, body = web.ask("/metrics", act["token"], address="127.0.1.1")
    n = figure(body, "khien_http_connections")
    check(status == 200 and n >= IDLE + SLOW, f"{int(n)} connections are open: {IDLE} that say nothing, {SLOW} that say it slowly")
    peak = wait_for(lambda: (lambda m: m if m > 0 else None)(desk.roles().get("web", {}).get("memory", 0)), 5)
    while time.monotonic() - opened < 13 and dropped < SLOW:
        check_status = timed()
        if check_status != 200:
            check(False, "a client that works is served", check_status)
        for s in list(slow):
            try:
                s.sendall(b"x")
            except OSError:
                slow.remove(s)
                dropped += 1
        time.sleep(0.5)
    check(max(quick) < 1, f"meanwhile {len(quick)} requests took {1000 * sum(quick) / len(quick):.0f} ms each, {1000 * max(quick):.0f} ms at most", quick)
    check(dropped == SLOW, f"all {SLOW} slow ones are cut off, {time.monotonic() - opened:.0f} s after they began", dropped)
    status, _, body = web.ask("/metrics", act["token"])
    cut = figure(body, 'khien_http_refused_total{reason="head_time"}')
    check(cut >= SLOW, f"and counted: {int(cut)} for taking too long over a head")
    check(wait_for(lambda: figure(web.ask("/metrics", act["token"])[2], "khien_http_connections") <= 2, 10), "the silent ones are gone as well")
    say(f"web: {peak / MIB:.1f} MB resident with {int(n)} connections")
    for s in held + slow:
        s.close()


def one_address(stage):
    """With the settings that ship, one address cannot take all there is."""
    desk = stage.desk()
    desk.start()
    web = Client(desk)
    held = [socket.create_connection(("127.0.0.1", web.port), 5, source_address=("127.0.0.9", 0)) for _ in range(300)]
    check(web.status_of("/healthz", address="127.0.0.10") == 200, "300 connections of one address: another is served")
    token = desk.cli("token", "create", "t", "--scope", "read", "--json", ok=True).json()["token"]
    _, _, body = web.ask("/metrics", token, address="127.0.0.10")
    refused = figure(body, 'khien_http_refused_total{reason="address"}')
    check(refused == 200, "the 200 past its hundred were refused, and counted", refused)
    for s in held:
        s.close()
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


def main(stage):
    desk = stage.desk({"web": {"listen": "127.0.0.1:0", "max_connections": 2500}})
    desk.start()
    web = Client(desk)
    read, act = who_may_come_in(desk, web)
    what_is_refused(web, act)
    tokens_end(desk, web, read)
    desk_dies(desk, web, act)
    desk_stands(desk, web, act)
    one_address(stage)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + 500:
        raise harness.Skip(f"this script may open only {hard} files, {IDLE + 500} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 500), hard))  # ours alone: the desk runs already
    slow_and_idle(desk, web, act)
    code, chain = desk.audit()
    check(code == 0 and chain["ok"], "the audit chain verifies")
    check(desk.stop() == 0, "SIGTERM ends the desk with 0")


harness.run(main)
