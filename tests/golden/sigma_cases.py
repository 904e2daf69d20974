#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hand-checked cases: NAME.yml are rules, NAME.events lines of logs, NAME.expect what must match and nothing else.
Use: sigma_cases.py KHIEN FOLDER. A line of NAME.expect is: line number, tab, rule id."""
import glob
import json
import os
import subprocess
import sys


def main():
    khien, folder = sys.argv[1:3]
    bad = total = rules = 0
    for expect in sorted(glob.glob(os.path.join(folder, '*.expect'))):
        base = expect[:-len('.expect')]
        with open(expect, encoding='utf-8') as f:
            want = sorted(tuple(line.rstrip('\n').split('\t')) for line in f)
        done = subprocess.run([khien, 'sigma', 'match', '--rules', base + '.yml', base + '.events'],
                              capture_output=True, text=True, check=False)
        hits = [json.loads(line) for line in done.stdout.splitlines()]
        got = sorted((str(h['line']), h['rule_id']) for h in hits)
        with open(base + '.yml', encoding='utf-8') as f:
            ids = {line.split()[1] for line in f if line.startswith('id: ')}
        never = ids - {rule for _, rule in want}
        rules += len(ids)
        total += len(want)
        for text, rows in (('missing', set(want) - set(got)), ('too much', set(got) - set(want))):
            for row in sorted(rows):
                bad += 1
                print('%s: %s line %s rule %s' % (os.path.basename(base), text, *row))
        if done.returncode != 0 or done.stderr or never or len(got) != len(set(got)):
            bad += 1
            print('%s: exit %d, rules without a case: %s\n%s' % (base, done.returncode, never, done.stderr))
    print('%d rules, %d expected matches, %d wrong' % (rules, total, bad))
    return 1 if bad or total == 0 else 0


sys.exit(main())
