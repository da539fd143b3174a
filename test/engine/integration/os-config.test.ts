import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, rmdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeLab } from '../support/describe-lab.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzc2hlZDI1NTE5 me';
const recipes = fileURLToPath(new URL('../../../recipes/', import.meta.url));

describeLab('config.json of a device, with its folders as mounts of the lab', (lab) => {
  const made: string[] = [];
  const shell = (script: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', script]);
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
    return stdout;
  };
  // The host's name is the machine's: a name space of its own keeps it.
  const minke = (...words: string[]) => lab.run(['unshare', '--uts', 'sh', '-c', '"$@"; code=$?; hostname >/run/minke-config/kernel-name; exit $code', 'sh', binary, 'os', 'config', ...words]);
  const applied = (text: string | null) => {
    shell('mount -o remount,rw /mnt/boot');
    if (text === null) shell('rm -f /mnt/boot/config.json');
    else lab.run(['sh', '-c', 'cat >/mnt/boot/config.json'], text);
    shell('mount -o remount,ro /mnt/boot');
    return minke('apply');
  };
  const file = (name: string): string => shell(`cat /run/minke-config/${name}`);

  beforeAll(() => {
    for (const path of ['/etc/minke', '/run/minke-config', '/run/minke-dns', '/run/NetworkManager', '/run/udev/rules.d']) {
      const missing = path.split('/').slice(1).map((_, index, all) => `/${all.slice(0, index + 1).join('/')}`).filter((one) => lab.run(['test', '-d', one]).code !== 0);
      for (const one of missing) execFileSync('mkdir', [one]);
      made.push(...missing);
    }
    // Programs of the device that the lab must not run stand aside, and say that they were called.
    shell(`mount -t tmpfs tmpfs /mnt; mkdir /mnt/boot /mnt/data /mnt/bin
      for path in /etc/minke /run/minke-config /run/minke-dns /run/NetworkManager /run/udev/rules.d; do mount -t tmpfs tmpfs $path; done
      cp -a /etc/shadow /mnt/shadow; printf 'root:*:1:0:99999:7:::\\n' >/mnt/shadow; mount --bind /mnt/shadow /etc/shadow; mount -t tmpfs tmpfs /mnt/boot`);
  });
  afterAll(() => {
    for (const path of made.toReversed()) if (readdirSync(path).length === 0) rmdirSync(path);
  });

  it('is applied by the engine’s binary without a daemon, a slot or a home', () => {
    const done = applied(JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key] }, ntpServers: ['192.0.2.1'] }));
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect([file('hostname'), file('kernel-name'), file('complaints'), file('dropbear.env')]).toEqual(['ship-1\n', 'ship-1\n', '', 'DROPBEAR_OPTIONS=-s\n']);
    expect(file('chrony/servers.sources')).toBe('server 192.0.2.1 iburst\n');
    expect(shell('cd /run/minke-config; stat -c "%a %n" ssh ssh/authorized_keys hostname /etc/minke/config.json')).toBe('700 ssh\n600 ssh/authorized_keys\n644 hostname\n600 /etc/minke/config.json\n');
    expect(lab.run(['env', '-i', binary, 'os', 'config', 'get', 'hostname'])).toMatchObject({ code: 0, stdout: 'ship-1\n' });
    expect(lab.run([binary, 'daemon', '--validate', '--config-file', '/run/minke-config/daemon.json', '--dns', '10.114.101.1', '--data-root', '/mnt/data/minke', '--host', 'unix:///run/minke.sock'])).toMatchObject({ code: 0 });
  });

  it('that is broken, missing or wrong keeps the last good values, and the run ends well', () => {
    for (const broken of ['{"hostname": "sh', '', null, '[]', '\0\0\0', 'x'.repeat(2_000_000)]) {
      expect(applied(broken)).toMatchObject({ code: 0, stderr: expect.stringContaining('the last good copy is used') });
      expect([file('hostname'), file('ssh/authorized_keys')]).toEqual(['ship-1\n', `${key}\n`]);
    }
    expect(applied('{"hostname":"X Y","os":{"sshKeys":["x"]},"colour":1}')).toMatchObject({ code: 0, stderr: 'config.json: hostname: not a host name of small letters, digits and dashes\nconfig.json: os.sshKeys[0]: not a public key\nconfig.json: colour: unknown key\n' });
    expect(file('ssh/authorized_keys')).toBe(`${key}\n`);
  });

  it('is changed on the boot partition, which stays read-only otherwise, and refuses what is wrong', () => {
    applied('{"hostname":"ship-1","colour":1}');
    expect(minke('set', 'hostname', 'boat')).toMatchObject({ code: 0, stdout: 'applied: hostname\n' });
    expect(JSON.parse(shell('cat /mnt/boot/config.json'))).toEqual({ hostname: 'boat', colour: 1 });
    expect(file('kernel-name')).toBe('boat\n');
    expect(shell('findmnt -n -o OPTIONS /mnt/boot')).toMatch(/^ro,/);
    const refused = minke('set', 'os.watchdog.seconds', '1');
    expect(refused).toMatchObject({ code: 1, stderr: 'os.watchdog.seconds: less than 10\n  hint: nothing was changed; os.watchdog.seconds takes a whole number from 10 to 3600\n' });
    expect(minke('set', 'hostnam', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no key hostnam') });
    expect(minke('check')).toMatchObject({ code: 1, stdout: '/mnt/boot/config.json: colour: unknown key\n' });
    expect(minke('unset', 'hostname').code).toBe(0);
    expect([shell('cat /mnt/boot/config.json'), minke('get', 'hostname').code]).toEqual(['{\n  "colour": 1\n}\n', 1]);
    expect(shell('ls /mnt/boot')).toBe('config.json\n');
  });

  it('adds authorities to those of the system, and takes them away again', () => {
    const usual = shell('cat /etc/ssl/certs/ca-certificates.crt');
    const authority = shell('openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 2 -subj /CN=lab 2>/dev/null');
    expect(applied(JSON.stringify({ rootCA: Buffer.from(authority).toString('base64') }))).toMatchObject({ code: 0, stderr: '' });
    expect(shell('cat /etc/ssl/certs/ca-certificates.crt')).toBe(usual + authority);
    applied('{}');
    expect(shell('cat /etc/ssl/certs/ca-certificates.crt')).toBe(usual);
  });

  it('becomes files that services take', () => {
    applied('{"dnsServers":["192.0.2.1","2001:db8::1"]}');
    expect(shell('cat /run/minke-dns/config.conf')).toBe('server=192.0.2.1\nserver=2001:db8::1\n');
  });

  it.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)('is applied by units that systemd has no fault to find with', () => {
    const units = ['base/files/usr/lib/systemd/system/minke-config.service', 'base/files/usr/lib/systemd/system/minke-config-changed.service', 'base/files/usr/lib/systemd/system/minke-config-changed.path', 'engine/files/usr/lib/systemd/system/minke.service', 'applications/files/usr/lib/systemd/system/minke-applications.service'];
    // Everything else that verify says is about the lab, which has no /usr/bin/minke.
    const said = lab.run(['systemd-analyze', 'verify', '--recursive-errors=no', ...units.map((unit) => recipes + unit)]).stderr.split('\n').filter((line) => line !== '' && !line.includes('/usr/bin/minke is not executable'));
    expect(said).toEqual([]);
  });
});
