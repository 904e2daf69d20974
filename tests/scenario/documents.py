#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the program says of itself: the written documents are its own, the completion is sound bash and completes, and every
command of the table has its help in both languages."""
import os, re, subprocess
import harness
from harness import check, khien


def ask(*words, lang="en"):
    return subprocess.run([khien, *words], capture_output=True, text=True, timeout=30, env=dict(os.environ, KHIEN_LANG=lang, LC_ALL="C.UTF-8"))


def written():
    for name in ("messages", "commands", "settings"):
        said = ask("document", name)
        with open(os.path.join(harness.top, "docs", name + ".md"), encoding="utf-8") as f:
            text = f.read()
        check(said.returncode == 0 and len(said.stdout) > 500 and said.stdout == text, f"docs/{name}.md is what the program prints ({len(text)} bytes)")


def complete(script, *words):
    """What bash would offer for the last word."""
    line = " ".join(f"'{w}'" for w in words)
    done = subprocess.run(["bash", "-c", f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _khien; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
                          capture_output=True, text=True, timeout=10)
    if done.returncode or done.stderr:
        raise harness.Failure(f"completion of {words}", done.stderr)
    return set(done.stdout.split())


def completion(stage):
    script = os.path.join(stage.folder, "khien.bash")
    with open(script, "w", encoding="utf-8") as f:
        f.write(ask("completion", "bash").stdout)
    parsed = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    check(parsed.returncode == 0 and not parsed.stderr, "the completion is sound bash", parsed.stderr)
    nouns = complete(script, "khien", "")
    check({"incident", "organisation", "serve", "status", "doctor", "sigma", "help"} <= nouns, f"{len(nouns)} first words", nouns)
    check("role" not in nouns and "document" not in nouns, "hidden commands are not offered", nouns)
    check(complete(script, "khien", "inc") == {"incident"}, "inc: incident")
    check(complete(script, "khien", "incident", "a") == {"ack", "assign"}, "incident a: ack, assign", complete(script, "khien", "incident", "a"))
    check("--code" in complete(script, "khien", "incident", "ack", "--"), "incident ack --: its options", complete(script, "khien", "incident", "ack", "--"))


def helps():
    pages = {lang: ask("help", lang=lang) for lang in ("vi", "en")}
    for lang, page in pages.items():
        check(page.returncode == 0 and page.stdout and not page.stderr, f"help in {lang} goes to standard output")
    commands = {lang: set(re.findall(r"^  (khien \S+(?: [a-z]+)?)", page.stdout, re.M)) for lang, page in pages.items()}
    check(commands["vi"] == commands["en"] and len(commands["en"]) > 40, f"{len(commands['en'])} commands, the same in both")
    same = [line for line in pages["vi"].stdout.splitlines() if line.startswith("  khien ") and line in pages["en"].stdout.splitlines()]
    check(not same, "each with words of its own in both", same)
    for noun in sorted({c.split()[1] for c in commands["en"]}):
        page = ask(noun, "--help")
        if page.returncode or noun not in page.stdout:
            raise harness.Failure(f"khien {noun} --help", page.returncode, page.stderr)
    bare = ask()
    check(bare.returncode == 64 and bare.stderr and not bare.stdout, "without a command: help on standard error, exit 64", bare.returncode)


def main(stage):
    written()
    completion(stage)
    helps()


harness.run(main)
