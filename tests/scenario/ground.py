# SPDX-License-Identifier: Apache-2.0
"""ground.py - a small ground for scripts that need incidents of their own making: one organisation, one contact, one rule a
word, and a sender of syslog lines that hold such a word."""
import datetime, os, socket, sqlite3
import harness

DOMAIN = "yte.tinhmau.example.vn"
PERSON = f"truc@{DOMAIN}"

TABLES = {
    "organisation": f"code,parent,name,kind,domains,networks\nyte,,Sở Y tế Tỉnh Mẫu,agency,{DOMAIN},192.0.2.0/26\n",
    "contact": f"organisation,name,role,email,phone,hours,language\nyte,Trực ban,duty,{PERSON},+1-202-555-0110,24x7,vi\n",
    "system": "organisation,code,name,level,owner,operator,monitored_by\nyte,yte-cong,Cổng thông tin,2,yte,yte,yte\n",
    "asset": f"system,name,kind,addresses,criticality,exposed\nyte-cong,web01.{DOMAIN},host,192.0.2.10,medium,yes\n",
}


def province(desk):
    """The smallest one in which an incident has somebody to be told."""
    for kind, text in TABLES.items():
        path = os.path.join(desk.folder, kind + ".csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        desk.cli(kind, "import", path, ok=True)


def rule_id(n):
    return f"22222222-0000-4000-8000-{n:012d}"


def rule(folder, n, word, level="high"):
    """A rule that hits every line with this word; its file in folder, which is made if missing."""
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, f"{word}.yml"), "w", encoding="utf-8") as f:
        f.write(f"title: The word {word}\nid: {rule_id(n)}\nlevel: {level}\nlogsource:\n    product: linux\n"
                f"detection:\n    keywords:\n        - '{word}'\n    condition: keywords\n")


def send(port, host, *texts):
    """Syslog over TCP, one line a text, of a host of the organisation."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        for text in texts:
            now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
            s.sendall(f"<38>1 {now} {host}.{DOMAIN} sshd - - - {text}\n".encode())


def time_passes(desk, seconds):
    """The same as if the mails of a desk that stands still were this much older: what waits becomes due."""
    store = os.path.join(desk.state, "store/khien.db")
    owner = os.stat(store)
    with sqlite3.connect(store) as db:
        db.execute("UPDATE outbox SET created_ns = created_ns - ?1, next_ns = next_ns - ?1, expires_ns = expires_ns - ?1",
                   (seconds * 10**9,))
    db.close()
    left = [n for n in os.listdir(os.path.dirname(store)) if os.stat(os.path.join(os.path.dirname(store), n)).st_uid != owner.st_uid]
    if left:
        raise harness.Failure("the store holds files that the desk cannot open", left)
