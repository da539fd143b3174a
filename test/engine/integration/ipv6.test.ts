import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labObstacle, leftovers, waitFor } from '../support/lab.ts';

const noIpv6 = existsSync('/proc/sys/net/ipv6/conf') ? undefined : 'this kernel has no IPv6';

describeLab('networks with IPv6', (lab) => {
  const inside = (name: string, script: string): string => lab.ok('exec', name, 'sh', '-c', `(${script}) 2>&1 || true`);
  const up = (name: string, network: string, ...options: string[]): string => lab.ok('run', '-d', '--name', name, '--network', network, ...options, IMAGE, 'httpd', '-f', '-h', '/var/www');
  const endpoint = (name: string, network: string): Record<string, unknown> => JSON.parse(lab.ok('inspect', '-f', `{{json (index .NetworkSettings.Networks "${network}")}}`, name)) as Record<string, unknown>;
  const fetch = (url: string): string => lab.run(['node', '-e', `fetch('${url}').then((r) => r.text()).then((t) => process.stdout.write(t), () => process.exit(1))`]).stdout;

  it('give containers addresses, a way to each other by name, and a way out', () => {
    lab.ok('network', 'create', '--ipv6', '--subnet', '10.88.0.0/24', '--subnet', 'fd00:88::/64', 'six');
    expect(lab.ok('network', 'inspect', '-f', '{{.EnableIPv6}} {{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}', 'six').trim()).toBe('true 10.88.0.0/24 10.88.0.1 fd00:88::/64 fd00:88::1');
    up('one', 'six');
    up('two', 'six', '--ip6', 'fd00:88::77', '--ip', '10.88.0.77');
    expect(endpoint('one', 'six')).toMatchObject({ GlobalIPv6Address: 'fd00:88::2', GlobalIPv6PrefixLen: 64, IPv6Gateway: 'fd00:88::1', IPAddress: '10.88.0.2' });
    expect(endpoint('two', 'six')).toMatchObject({ GlobalIPv6Address: 'fd00:88::77', IPAddress: '10.88.0.77', IPAMConfig: { IPv4Address: '10.88.0.77', IPv6Address: 'fd00:88::77' } });
    expect(lab.ok('network', 'inspect', '-f', '{{range .Containers}}{{.IPv6Address}} {{end}}', 'six').split(' ').toSorted().join(' ').trim()).toBe('fd00:88::2/64 fd00:88::77/64');
    expect(inside('one', 'nslookup two 127.0.0.11')).toContain('fd00:88::77');
    expect(inside('one', 'ping -6 -c 1 -W 5 fd00:88::77')).toContain('1 packets received');
    expect(inside('one', 'cat /etc/hosts')).toMatch(/^fd00:88::2\t/m);
    expect(inside('one', 'ip -6 route')).toContain('default via fd00:88::1');
    const conflict = lab.docker('run', '--rm', '--network', 'six', '--ip6', 'fd00:88::77', IMAGE, 'true');
    expect(conflict.stderr).toContain('Address already in use');
  });

  it('publish ports on the host’s addresses of both families, behind the host’s address', async () => {
    for (const address of ['fd00:99::1/128', '192.0.2.1/32']) expect(lab.run(['ip', 'addr', 'add', address, 'dev', 'lo']).stderr).toBe('');
    up('web', 'six', '-p', '18080:80');
    expect(lab.ok('port', 'web').split('\n')).toEqual(['80/tcp -> 0.0.0.0:18080', '80/tcp -> [::]:18080']);
    await waitFor(() => fetch('http://192.0.2.1:18080/') === 'hello from minke\n');
    expect(fetch('http://[fd00:99::1]:18080/')).toBe('hello from minke\n');
    expect(fetch('http://localhost:18080/')).toBe('hello from minke\n');
    expect(inside('one', 'ping -6 -c 1 -W 5 fd00:99::1')).toContain('1 packets received');
    lab.ok('rm', '-f', 'web');
    up('narrow', 'six', '-p', '[fd00:99::1]:18081:80');
    await waitFor(() => fetch('http://[fd00:99::1]:18081/') === 'hello from minke\n');
    expect(fetch('http://192.0.2.1:18081/')).toBe('');
    lab.ok('rm', '-f', 'narrow');
    expect(lab.docker('run', '--rm', '-p', '[fd00:99::1]:18082:80', IMAGE, 'true').stderr).toContain('has no IPv6');
  });

  it('keep networks apart, and come back after a flush and a killed daemon', async () => {
    lab.ok('network', 'create', '--ipv6', 'own');
    up('apart', 'own');
    const address = String(endpoint('apart', 'own')['GlobalIPv6Address']);
    expect(address).toMatch(/^fd/);
    expect(inside('one', `ping -6 -c 1 -W 1 ${address}`)).not.toContain('1 packets received');
    lab.ok('network', 'connect', 'own', 'one');
    expect(inside('one', `ping -6 -c 1 -W 5 ${address}`)).toContain('1 packets received');
    lab.run(['nft', 'delete', 'table', 'ip6', 'minke']);
    await waitFor(() => lab.run(['nft', 'list', 'table', 'ip6', 'minke']).code === 0);
    await lab.signalDaemon('SIGKILL');
    await lab.startDaemon();
    expect(endpoint('apart', 'own')['GlobalIPv6Address']).toBe(address);
    expect(lab.docker('run', '--rm', '--network', 'own', '--ip6', 'fd00::1', IMAGE, 'true').stderr).toContain('user configured subnets');
  });

  it('leave nothing behind', async () => {
    lab.ok('rm', '-f', 'one', 'two', 'apart');
    lab.ok('network', 'rm', 'six', 'own');
    await waitFor(() => leftovers(lab).length === 0);
    expect(lab.run(['nft', 'list', 'table', 'ip6', 'minke']).code).not.toBe(0);
    expect(lab.docker('network', 'create', '--ipv6', '--subnet', 'fd00::/64', '--subnet', 'fd01::/64', 'twice').stderr).toContain('one IPv4 and one IPv6 subnet');
  });
}, { obstacle: labObstacle() ?? noIpv6 });
