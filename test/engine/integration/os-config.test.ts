import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { hasProgram, need } from '../../support/need.ts';
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
    for (const path of ['/etc/minke', '/etc/openvpn', '/run/minke-config', '/run/minke-dns', '/run/NetworkManager', '/run/openvpn', '/run/udev/rules.d']) {
      const missing = path.split('/').slice(1).map((_, index, all) => `/${all.slice(0, index + 1).join('/')}`).filter((one) => lab.run(['test', '-d', one]).code !== 0);
      for (const one of missing) execFileSync('mkdir', [one]);
      made.push(...missing);
    }
    // Programs of the device that the lab must not run stand aside, and say that they were called.
    shell(`mount -t tmpfs tmpfs /mnt; mkdir /mnt/boot /mnt/data /mnt/bin
      for path in /etc/minke /etc/openvpn /run/minke-config /run/minke-dns /run/NetworkManager /run/openvpn /run/udev/rules.d; do mount -t tmpfs tmpfs $path; done
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

  describe.each([['a certificate', { serverName: 'hub' }], ['a name and a password', { uuid: 'a1b2', apiKey: 'secret', protocol: 'tcp', port: 5194 }]])('opens the VPN, with %s', (kind, own) => {
    it('as its unit starts it, and says so in the status file', async (context) => {
      need(context, hasProgram('openvpn'), 'openvpn is not installed');
      need(context, existsSync('/dev/net/tun'), 'the kernel has no tun devices');
      const byPassword = 'uuid' in own;
      shell(`mkdir -p /mnt/vpn; cd /mnt/vpn
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=authority 2>/dev/null
        issue() { openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1 2>/dev/null; printf 'keyUsage=digitalSignature,keyEncipherment\\nextendedKeyUsage=%s\\n' $2 >$1.ext; openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.crt 2>/dev/null; }
        issue hub serverAuth; issue device clientAuth
        openvpn --genkey tls-crypt static.key
        printf '#!/bin/sh\\n[ "$username/$password" = a1b2/secret ]\\n' >check; chmod 755 check`);
      const read = (name: string): string => shell(`cat /mnt/vpn/${name}`);
      const vpn = { server: '127.0.0.1', port: 5194, ca: read('ca.crt'), tlsCrypt: read('static.key'), ...own, ...(byPassword ? {} : { certificate: read('device.crt'), key: Buffer.from(read('device.key')).toString('base64') }) };
      // The host may have a unit of that name, and no systemd.
      expect(applied(JSON.stringify({ vpn }))).toMatchObject({ code: 0, stderr: expect.stringMatching(/^(restart openvpn\.service: [^\n]*\n)?$/) as string });
      expect(shell('stat -c %a /run/minke-config/openvpn/client.conf')).toBe('600\n');
      const unit = readFileSync(`${recipes}openvpn/files/usr/lib/systemd/system/openvpn.service`, 'utf8');
      const start = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.replaceAll('$$', '$') ?? '';
      const server = `openvpn --dev tun-hub --dev-type tun --server 10.201.9.0 255.255.255.0 --topology subnet --port 5194 --proto ${byPassword ? 'tcp-server' : 'udp'} --dh none --ca ca.crt --cert hub.crt --key hub.key --tls-crypt static.key --keepalive 5 60 ${byPassword ? '--script-security 3 --verify-client-cert none --auth-user-pass-verify ./check via-env --username-as-common-name' : ''} --status hub.status 1`;
      try {
        shell(`cd /mnt/vpn; (${server} --writepid hub.pid >hub.log 2>&1 &); (${start.replace('exec /usr/sbin/openvpn', 'exec openvpn --writepid /mnt/vpn/client.pid')} >client.log 2>&1 &)`);
        await expect.poll(() => lab.run(['grep', '-c', 'Initialization Sequence Completed', '/mnt/vpn/client.log']).stdout, { timeout: 30_000, interval: 200 }).toBe('1\n').catch((error: unknown) => {
          throw new Error(`${read('client.log')}\n${read('hub.log')}`, { cause: error });
        });
        await expect.poll(() => lab.run(['grep', '-E', `^${byPassword ? 'a1b2' : 'device'},127`, '/mnt/vpn/hub.status']).code, { timeout: 30_000, interval: 200 }).toBe(0);
        expect(shell('cat /run/openvpn/client.status')).toContain('OpenVPN STATISTICS');
      } finally {
        lab.run(['sh', '-c', 'kill $(cat /mnt/vpn/hub.pid /mnt/vpn/client.pid); rm -rf /mnt/vpn']);
      }
      applied('{}');
      expect(shell('ls /run/minke-config/openvpn')).toBe('');
    }, 90_000);
  });

  it.skipIf(spawnSync('systemd-analyze', ['--version']).status !== 0)('is applied by units that systemd has no fault to find with', () => {
    const units = ['base/files/usr/lib/systemd/system/minke-config.service', 'base/files/usr/lib/systemd/system/minke-config-changed.service', 'base/files/usr/lib/systemd/system/minke-config-changed.path', 'openvpn/files/usr/lib/systemd/system/openvpn.path', 'engine/files/usr/lib/systemd/system/minke.service', 'applications/files/usr/lib/systemd/system/minke-applications.service'];
    // Everything else that verify says is about the lab, which has no /usr/bin/minke.
    const said = lab.run(['systemd-analyze', 'verify', '--recursive-errors=no', ...units.map((unit) => recipes + unit)]).stderr.split('\n').filter((line) => line !== '' && !line.includes('/usr/bin/minke is not executable'));
    expect(said).toEqual([]);
  });
});
