#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `khien sigma match --counts` with two independent expectations of the same events.

sigmahq: upstream's own regression set, one rule and a count for each file.
pysigma: pairs (file, rule) of rules for Windows, counted by an SQL translation of each rule.
Use: sigma_golden.py KHIEN DATA EXPLAINED.tsv sigmahq|pysigma. Exit 77: the data is not there (skipped).
Figures are printed twice for pysigma: over the pairs that at least one side lists, and over all pairs.
A row may differ only when EXPLAINED.tsv lists it (set, file, rule id, expected, ours, reason); a listed row that
no longer differs fails too, so that the list cannot rot. pysigma also fails under 99.5 % of all pairs.
"""
import glob
import os
import subprocess
import sys
import tarfile
import tempfile

ACTIVE = ['rules', 'rules-emerging-threats', 'rules-threat-hunting', 'rules-compliance', 'rules-placeholder',
          'rules-dfir']
LEAST_EQUAL = 0.995  # of all pairs (file, rule); a pair that neither side lists is 0 on both


def unpack(archive, folder):
    with subprocess.Popen(['zstdcat', archive], stdout=subprocess.PIPE) as zstd:
        with tarfile.open(fileobj=zstd.stdout, mode='r|') as tar:
            tar.extractall(folder)


def rows(path):
    with open(path, encoding='utf-8') as f:
        return [line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#')]


def run(khien, rules, files):
    command = [khien, 'sigma', 'match', '--mapping', 'sysmon,windows', '--counts', '--stats']
    for folder in rules:
        command += ['--rules', folder]
    result = {}
    for start in range(0, len(files), 500):
        done = subprocess.run(command + files[start:start + 500], capture_output=True, text=True, check=False)
        sys.stderr.write('\n'.join(l for l in done.stderr.splitlines() if l.startswith('rules=')) + '\n')
        if done.returncode != 0:
            sys.exit('khien failed (%d): %s' % (done.returncode, done.stderr[-2000:]))
        for line in done.stdout.splitlines():
            file, rule, count = line.split('\t')
            result[(file, rule)] = result.get((file, rule), 0) + int(count)
    return result


def windows_rules(folder):
    """ids of rules whose product is windows: the ones the SQL golden holds"""
    import re
    ids = set()
    for top in ACTIVE:
        for path in glob.glob(os.path.join(folder, top, '**', '*.yml'), recursive=True):
            with open(path, encoding='utf-8') as f:
                text = f.read()
            if re.search(r'^\s+product:\s*windows\s*(#.*)?$', text, re.M):
                ids.add(re.search(r'^id:\s*(\S+)', text, re.M).group(1))
    return ids


def skipped(data):
    """rules the SQL oracle could not translate, by file name, and those whose SQL failed, by id"""
    names = {os.path.basename(r[0]) for r in rows(os.path.join(data, 'golden', 'oracle_skipped.tsv'))}
    return names, {r[0] for r in rows(os.path.join(data, 'golden', 'oracle_sql_failed.tsv'))}


def rule_ids_by_name(folder, names):
    import re
    ids = set()
    for path in glob.glob(os.path.join(folder, '**', '*.yml'), recursive=True):
        if os.path.basename(path) in names:
            with open(path, encoding='utf-8') as f:
                ids.add(re.search(r'^id:\s*(\S+)', f.read(), re.M).group(1))
    return ids


def judge(name, differences, total, explained):
    listed = {(r[1], r[2]): r for r in explained if r[0] == name}
    bad = 0
    for key, (want, got) in sorted(differences.items()):
        row = listed.pop(key, None)
        if row is not None and (row[3], row[4]) == (str(want), str(got)):
            continue
        bad += 1
        print('%s\t%s\t%s\t%s\t%s\t' % (name, key[0], key[1], want, got))
    for key in sorted(listed):
        bad += 1
        print('listed but equal: %s %s' % key)
    equal = total - len(differences)
    print('%s: %d of %d equal (%.2f %%), %d explained, %d not' % (name, equal, total, 100.0 * equal / total,
                                                                 len(differences) - bad, bad))
    return bad == 0


def sigmahq(khien, data, rules, work, explained):
    unpack(os.path.join(data, 'events', 'sigmahq_regression.tar.zst'), work)
    golden = rows(os.path.join(data, 'golden', 'sigmahq_regression.tsv'))
    found = {os.path.basename(p): p for p in glob.glob(os.path.join(work, '**', '*.ndjson'), recursive=True)}
    ours = run(khien, rules, [found[r[0]] for r in golden if r[0] in found])
    differences = {}
    for file, rule, want in (r[:3] for r in golden):
        got = ours.get((file, rule), 0)
        if got != int(want) if not want.startswith('>=') else got < int(want[2:]):
            differences[(file, rule)] = (want, got)
    return judge('sigmahq', differences, len(golden), explained)


def pysigma(khien, data, rules, work, explained):
    golden = {(r[0], r[1]): int(r[2]) for r in rows(os.path.join(data, 'golden', 'pysigma_sqlite_missing_is_empty.tsv'))}
    top = os.path.dirname(rules[0])
    names, failed = skipped(data)
    known = windows_rules(top) - rule_ids_by_name(top, names) - failed
    files = sorted(glob.glob(os.path.join(data, 'events', 'otrf__*')) +
                   glob.glob(os.path.join(data, 'events', 'evtxattack__*')))
    ours = {k: v for k, v in run(khien, rules, files).items() if k[1] in known}
    keys = {k for k in set(golden) | set(ours) if k[1] not in failed}
    differences = {k: (golden.get(k, 0), ours.get(k, 0)) for k in keys if golden.get(k, 0) != ours.get(k, 0)}
    good = judge('pysigma', differences, len(keys), explained)
    every = len(files) * len(known)
    share = 1 - len(differences) / every
    print('pysigma: %d files x %d rules = %d pairs, %.4f %% equal' % (len(files), len(known), every, 100 * share))
    return good and share >= LEAST_EQUAL


def main():
    khien, data, explained, name = sys.argv[1:5]
    if not os.path.isdir(os.path.join(data, 'golden')):
        print('skipped: the detection data is not beside this checkout')
        return 77
    with tempfile.TemporaryDirectory() as work:
        unpack(glob.glob(os.path.join(data, 'sigma-rules-*.tar.zst'))[0], os.path.join(work, 'rules'))
        top = glob.glob(os.path.join(work, 'rules', '*'))[0]
        rules = [os.path.join(top, r) for r in ACTIVE if os.path.isdir(os.path.join(top, r))]
        check = {'sigmahq': sigmahq, 'pysigma': pysigma}[name]
        return 0 if check(khien, data, rules, os.path.join(work, 'events'), rows(explained)) else 1


sys.exit(main())
