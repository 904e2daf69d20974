#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk: intake stops and status says so, nothing of a followed file is lost, and intake resumes by itself."""
import os, subprocess, sys, time
import harness
from harness import check, say, wait_for

MIB = 2**20


def line(n):
    return f"Nov 23 22:34:12 h{n % 200}.yte.tinhmau.example.vn sshd[{n}]: Failed password for invalid user u{n} from 203.0.113.7 port 22 ssh2\n"


def in_own_namespace(stage):
    """The tmpfs must not be seen outside; this script runs again in a private mount namespace."""
    harness.need_root("mounts a small tmpfs in a private mount namespace")
    if os.environ.get("KHIEN_OWN_MOUNTS") == "1":
        return
    if subprocess.run(["unshare", "--mount", "--propagation", "private", "true"], capture_output=True).returncode != 0:
        raise harness.Skip("no private mount namespace is to be had here")
    os.environ["KHIEN_OWN_MOUNTS"] = "1"
    stage.end(False)
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def main(stage):
    folder = os.path.join(stage.folder, "small")
    os.makedirs(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "none", folder], check=True)
    log = os.path.join(stage.folder, "auth.log")
    open(log, "w").close()
    written = 0

    def write(count):
        nonlocal written
        with open(log, "a") as f:
            for _ in range(count):
                written += 1
                f.write(line(written))

    try:
        desk = stage.desk({"store": {"min_free": "4MiB"}, "inputs": [{"name": "auth", "path": log, "format": "syslog"}]}, folder=folder).start()
        write(500)
        check(wait_for(lambda: desk.input("auth").get("lines") == written, 10), f"{written} lines are taken in")
        ballast = os.path.join(folder, "ballast")
        with open(ballast, "wb") as f:
            f.write(b"\0" * (os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - 3 * MIB))
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        write(500)
        stopped = wait_for(lambda: (lambda i: i if i["state"] == "stopped" else None)(desk.status()["intake"]), 15)
        check(stopped and stopped.get("reason") and stopped.get("since"), f"with {free / MIB:.1f} MiB free intake stops and status says why: {(stopped or {}).get('reason')}", stopped)
        before = desk.input("auth")["lines"]
        write(500)
        time.sleep(2)
        check(desk.input("auth")["lines"] == before, f"{written - before} lines wait in the file")
        # to the last byte: not even a page of the store's log can be written any more
        fd = os.open(ballast, os.O_WRONLY | os.O_APPEND)
        try:
            while os.write(fd, b"\0" * 4096):
                pass
        except OSError as e:
            say(f"filled to the last byte: {e.strerror}")
        finally:
            os.close(fd)
        write(500)
        time.sleep(2)
        check(desk.status()["intake"]["state"] == "stopped", "status still answers on a disk without a free byte")
        check(desk.cli("finding", "list").code == 0, "and so do the lists")
        os.unlink(ballast)
        check(wait_for(lambda: desk.status()["intake"]["state"] == "running", 15), "when there is space again intake resumes by itself")
        check(wait_for(lambda: desk.input("auth")["lines"] == written, 15), f"all {written} lines were read, each once", desk.input("auth"))
        hits = sum(desk.findings().values())
        check(hits == written, f"{hits} hits", hits)
        code, chain = desk.audit()
        check(code == 0 and chain["ok"], "the audit chain verifies")
        check(desk.stop() == 0, "SIGTERM ends the desk with 0")
    finally:
        for p in reversed(stage.processes):
            if p.poll() is None:
                p.terminate()
                p.wait(25)
        subprocess.run(["umount", "-l", folder], check=False)


harness.run(lambda stage: (in_own_namespace(stage), main(stage)))
