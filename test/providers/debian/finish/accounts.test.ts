import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { accountFiles, applySysusers, ownerNumbers, parseAccounts } from '../../../../src/providers/debian/finish/accounts.ts';
import { hasProgram, need } from '../../../support/need.ts';

const passwd = 'root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const group = 'root:*:0:\nshadow:*:42:\nnogroup:*:65534:\n';
const lines = (texts: string[]): { text: string; origin: string }[] => texts.map((text) => ({ text, origin: 'recipe r' }));

describe('accounts', () => {
  test('sysusers lines make the same users and groups as systemd-sysusers, numbers aside', (context) => {
    need(context, hasProgram('systemd-sysusers'), 'systemd-sysusers, which is compared with, is not installed');
    const given = ['u _chrony - "Chrony daemon" /var/lib/chrony /usr/sbin/nologin', 'g input - -', 'u plain', 'u fixed 777 "Fixed"', 'u grouped -:input "In group"', 'm plain shadow', 'm newcomer fresh', "g fixedgroup 812", '# comment', 'r - 500-900'].filter((line) => !line.startsWith('#'));
    const root = mkdtempSync(path.join(tmpdir(), 'osbuild-sysusers-'));
    mkdirSync(path.join(root, 'etc'));
    mkdirSync(path.join(root, 'usr/lib/sysusers.d'), { recursive: true });
    writeFileSync(path.join(root, 'etc/passwd'), passwd);
    writeFileSync(path.join(root, 'etc/group'), group);
    writeFileSync(path.join(root, 'usr/lib/sysusers.d/x.conf'), `${given.join('\n')}\n`);
    execFileSync('systemd-sysusers', [`--root=${root}`], { stdio: 'ignore' });
    const accounts = parseAccounts(passwd, group);
    applySysusers(accounts, lines(given));
    const theirs = parseAccounts(readFileSync(path.join(root, 'etc/passwd'), 'utf8'), readFileSync(path.join(root, 'etc/group'), 'utf8'));
    rmSync(root, { recursive: true });
    const plain = ({ users, groups }: typeof accounts): unknown => ({
      users: [...users.values()].map(({ name, comment, home, shell, gid }) => ({ name, comment, home, shell, group: [...groups.values()].find((item) => item.gid === gid)?.name })).toSorted((a, b) => a.name.localeCompare(b.name)),
      groups: [...groups.values()].map(({ name, members }) => ({ name, members })).toSorted((a, b) => a.name.localeCompare(b.name)),
    });
    expect(plain(accounts)).toEqual(plain(theirs));
    expect(accounts.users.get('fixed')).toMatchObject({ uid: 777, gid: 777 });
    expect(accounts.groups.get('fixedgroup')?.gid).toBe(812);
  });

  test('numbers stay the same when other accounts come and go', () => {
    const number = (texts: string[]): number | undefined => {
      const accounts = parseAccounts(passwd, group);
      applySysusers(accounts, lines(texts));
      return accounts.users.get('_chrony')?.uid;
    };
    const alone = number(['u _chrony -']);
    expect(alone).toBeGreaterThanOrEqual(300);
    expect(alone).toBeLessThan(999);
    expect(number(['u avahi -', 'u _chrony -', 'g netdev -', 'u zebra -'])).toBe(alone);
    expect(number(['u _chrony -', `u taker ${alone}`])).not.toBe(alone);
  });

  test('faults name the recipe', () => {
    expect(() => applySysusers(parseAccounts(passwd, group), lines(['x what']))).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('recipe r') }));
    expect(() => applySysusers(parseAccounts(passwd, group), lines(['u a 500', 'u b 500']))).toThrow(/b asks for number 500/);
    expect(() => ownerNumbers(parseAccounts(passwd, group), 'nosuch:root', 'recipe r')).toThrow(/recipe r: the image has no user nosuch/);
    expect(ownerNumbers(parseAccounts(passwd, group), 'root:shadow', 'recipe r')).toEqual({ uid: 0, gid: 42 });
    expect(ownerNumbers(parseAccounts(passwd, group), 'nobody', 'recipe r')).toEqual({ uid: 65_534, gid: 65_534 });
  });

  test('nobody has a password, and the files depend on nothing but the epoch', () => {
    const accounts = parseAccounts(passwd, group);
    applySysusers(accounts, lines(['u _chrony 400']));
    const files = accountFiles(accounts, 86_400 * 20_000 + 5);
    expect(files.shadow).toBe('root:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n_chrony:!*:20000::::::\n');
    expect(files.gshadow).toContain('_chrony:!*::\n');
  });
});
