#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each role inside its sandbox: what an intruder would try is refused, what the role needs works. The same attempts made
outside succeed: so a refusal is the sandbox's doing."""
import os, signal, socket, subprocess, tempfile
import harness
from harness import check, say

NEVER = {"open a file outside", "list the root folder", "write a file outside", "bind a TCP port", "open a raw socket", "trace another process",
         "read another process's memory", "signal another process", "map executable memory", "become root", "enter a new namespace", "start a process",
         "execute a program", "reach the control socket"}
INTENDED = {"desk": {"read the store"}, "courier": {"connect to a TCP port"}, "sensor": set(), "web": set(), "worker": set()}


def outside(stage):
    """The same attempts without a sandbox, as far as this machine lets any process do them."""
    path = os.path.join(stage.folder, "outside")
    with open(path, "w") as f:
        f.write("x")
    os.listdir("/")
    open("/etc/passwd").close()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname(), 5):
            pass
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(child, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    subprocess.run(["/bin/true"], check=True)
    say("ok  outside: open, list, write, bind, connect, fork, signal and execute all work")


def main(stage):
    outside(stage)
    for role, intended in INTENDED.items():
        a = harness.Answer(subprocess.run([harness.khien, "sandbox", "probe", role, "--json"], capture_output=True, text=True, timeout=30))
        said = a.json()
        tried = {t["attempt"]: t for t in said["attempts"]}
        check(NEVER | {"read the store", "connect to a TCP port"} == set(tried), f"{role}: {len(tried)} attempts", set(tried) ^ NEVER)
        refused = {n for n, t in tried.items() if t["refused"]}
        check(set(tried) - refused == intended, f"{role}: all refused but what it is for: {', '.join(sorted(intended)) or 'nothing'}",
              {n: t["error"] for n, t in tried.items() if t["refused"] != (n not in intended)})
        # a refusal must come from the sandbox, not from a thing that is not there
        errors = {n: t["error"] for n, t in tried.items() if t["refused"]}
        check(all(e in ("EACCES", "EPERM") for e in errors.values()), f"{role}: refused as forbidden, not as missing", errors)
        check(a.code == 0, f"{role}: exit 0, no hole")
        if os.geteuid() == 0:
            check(said["user_changed"], f"{role}: no longer root")
    unknown = subprocess.run([harness.khien, "sandbox", "probe", "cellar"], capture_output=True, text=True)
    check(unknown.returncode == 64, "an unknown role is a usage error", unknown.returncode)


harness.run(main)
