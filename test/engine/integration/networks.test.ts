import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labFile, leftovers, waitFor } from '../support/lab.ts';

/** Answers every query for an IPv4 address with 192.0.2.77, on the host's loopback. */
const NAME_SERVER = `
import { createSocket } from 'node:dgram';
const socket = createSocket('udp4');
socket.on('message', (query, from) => {
  const head = Buffer.from(query.subarray(0, query.indexOf(0, 12) + 5));
  const known = head.readUInt16BE(head.length - 4) === 1;
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(known ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 77]);
  socket.send(known ? Buffer.concat([head, answer]) : head, from.port, from.address);
});
socket.bind(53, '127.0.0.53');
`;

/** Asks for the address of 'asker' over TCP. */
const TCP_CLIENT = `
import { connect } from 'node:net';
const query = Buffer.from('\\0\\x17\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x05asker\\0\\0\\x01\\0\\x01', 'latin1');
const socket = connect(53, '127.0.0.11', () => {
  socket.write(query.subarray(0, 3));
  setTimeout(() => socket.write(query.subarray(3)), 100);
});
let answer = Buffer.alloc(0);
socket.on('data', (part) => (answer = Buffer.concat([answer, part])));
socket.on('end', () => console.log([...answer.subarray(-4)].join('.')));
`;

describeLab('networks of the user', (lab) => {
  const up = (name: string, network: string, ...options: string[]): string => lab.ok('run', '-d', '--name', name, '--network', network, ...options, IMAGE, 'sleep', '1000');
  const inside = (name: string, script: string): string => lab.ok('exec', name, 'sh', '-c', `(${script}) 2>&1 || true`);
  const page = (from: string, to: string): string => inside(from, `timeout 1.5 wget -q -O - http://${to}/`);
  const address = (name: string, network: string): string => lab.ok('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);

  it('are made, listed, inspected and removed', () => {
    const id = lab.ok('network', 'create', '--label', 'a=b', '--subnet', '10.77.0.0/16', '--ip-range', '10.77.3.0/24', '--gateway', '10.77.9.9', '--aux-address', 'x=10.77.3.1', 'made');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(lab.ok('network', 'ls', '--filter', 'type=custom', '--filter', 'label=a=b', '--format', '{{.Name}} {{.Driver}} {{.Scope}}')).toBe('made bridge local');
    expect(lab.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}} {{(index .IPAM.Config 0).IPRange}} {{.Internal}}', id.slice(0, 9))).toBe('10.77.0.0/16 10.77.9.9 10.77.3.0/24 false');
    expect(lab.docker('network', 'create', 'made').stderr).toContain('network with name made already exists');
    expect(lab.docker('network', 'create', '--subnet', '10.77.1.0/24', 'over').stderr).toContain('Pool overlaps');
    expect(lab.docker('network', 'create', 'host').stderr).toContain('predefined');
    expect(lab.docker('network', 'create', '-d', 'overlay', 'o').stderr).toContain('plugin');
    expect(lab.docker('network', 'rm', 'bridge').stderr).toContain('pre-defined network and cannot be removed');
    const first = lab.ok('run', '--rm', '--network', 'made', IMAGE, 'sh', '-c', 'ip -4 addr show eth0 | grep -o "inet [0-9./]*"; ip route | grep -o "default via [0-9.]*"; grep made /etc/hosts | wc -l');
    expect(first).toBe('inet 10.77.3.0/16\ndefault via 10.77.9.9\n0');
    lab.ok('network', 'rm', 'made');
    expect(lab.run(['ip', '-br', 'link', 'show', `br-${id.slice(0, 12)}`]).code).not.toBe(0);
  });

  it('resolve names, aliases, ids and addresses to containers on them, and to no others', () => {
    lab.ok('network', 'create', 'one');
    lab.ok('network', 'create', 'two');
    const id = up('web', 'one', '--network-alias', 'www', '--network-alias', 'pool', '--hostname', 'webhost');
    up('web2', 'one', '--network-alias', 'pool');
    up('client', 'one');
    up('stranger', 'two');
    expect(inside('client', 'cat /etc/resolv.conf')).toMatch(/^nameserver 127\.0\.0\.11\n[^]*options ndots:0$/);
    const lookup = (from: string, name: string): string[] => [...inside(from, `nslookup ${name} 127.0.0.11`).matchAll(/^Address: ([\d.]+)$/gm)].map(([, found]) => found ?? '');
    const web = address('web', 'one');
    for (const name of ['web', 'www', 'webhost', id.slice(0, 12), 'web.one', 'WEB']) expect(lookup('client', name)).toEqual([web]);
    expect(lookup('client', 'pool').toSorted()).toEqual([web, address('web2', 'one')].toSorted());
    const firsts = new Set(Array.from({ length: 12 }, () => lookup('client', 'pool')[0]));
    expect(firsts.size).toBe(2);
    expect(inside('client', `nslookup ${web} 127.0.0.11`)).toContain('web.one');
    expect(lookup('stranger', 'web')).toEqual([]);
    expect(inside('client', 'ping -c 1 -W 2 www | grep -c "1 packets received"')).toBe('1');
    // A name server of the container's own finds port 53 free.
    expect(inside('client', 'nc -l -p 53 </dev/null >/dev/null & sleep 0.2; netstat -ltn | grep -c ":53 "; kill %1')).toBe('1');
    lab.ok('stop', '-t', '0', 'web2');
    expect(lookup('client', 'pool')).toEqual([web]);
    lab.ok('start', 'web2');
    expect(lookup('client', 'pool')).toHaveLength(2);
  });

  it('keep their containers apart', () => {
    inside('web', 'httpd -h /var/www');
    expect(page('client', 'web')).toBe('hello from minke');
    expect(page('stranger', address('web', 'one'))).not.toContain('hello');
    expect(lab.docker('network', 'rm', 'one').stderr).toContain('has active endpoints');
    expect(Object.values(JSON.parse(lab.ok('network', 'inspect', '-f', '{{json .Containers}}', 'one')) as Record<string, { Name: string }>).map(({ Name }) => Name).toSorted()).toEqual(['client', 'web', 'web2']);
    expect(lab.ok('ps', '--filter', 'network=two', '--format', '{{.Names}} {{.Networks}}')).toBe('stranger two');
  });

  it('are connected and disconnected while the container runs', () => {
    lab.ok('network', 'connect', '--alias', 'guest', 'one', 'stranger');
    expect(page('stranger', 'web')).toBe('hello from minke');
    expect(inside('web', 'ping -c 1 -W 2 guest | grep -c "1 packets received"')).toBe('1');
    expect(lab.docker('network', 'connect', 'one', 'stranger').stderr).toContain('already exists in network one');
    expect(inside('stranger', 'grep -c stranger /etc/hosts || ip -4 -o addr | grep -c eth')).toBe('0\n2');
    lab.ok('network', 'disconnect', 'two', 'stranger');
    expect(inside('stranger', 'ip route | grep -c "^default"')).toBe('1');
    lab.ok('network', 'disconnect', 'one', 'stranger');
    expect(page('stranger', address('web', 'one'))).not.toContain('hello');
    expect(lab.docker('network', 'disconnect', 'one', 'stranger').stderr).toContain('is not connected');
    lab.ok('network', 'connect', 'two', 'stranger');
  });

  it('outlive the daemon: networks, addresses, names and rules', async () => {
    const before = address('web', 'one');
    await lab.signalDaemon('SIGKILL');
    lab.run(['nft', 'flush', 'ruleset']);
    await lab.startDaemon();
    expect(address('web', 'one')).toBe(before);
    expect(page('client', 'www')).toBe('hello from minke');
    expect(page('stranger', before)).not.toContain('hello');
    expect(lab.ok('run', '--rm', '--network', 'one', IMAGE, 'hostname', '-i')).not.toBe(before);
    const bridge = `br-${lab.ok('network', 'inspect', '-f', '{{.Id}}', 'one').slice(0, 12)}`;
    lab.ok('rm', '-f', 'web', 'web2', 'client', 'stranger');
    await lab.signalDaemon('SIGKILL');
    lab.run(['ip', 'link', 'del', bridge]);
    await lab.startDaemon();
    up('again', 'one');
    expect(inside('again', 'ping -c 1 -W 2 again | grep -c "1 packets received"')).toBe('1');
    lab.ok('rm', '-f', 'again');
  });

  it('publish ports, also of a container on several', async () => {
    lab.ok('run', '-d', '--name', 'shop', '--network', 'one', '-p', '18090:80', IMAGE, 'httpd', '-f', '-h', '/var/www');
    lab.ok('network', 'connect', 'two', 'shop');
    const fetch = (): string => lab.run(['timeout', '5', 'bash', '-c', "exec 3<>/dev/tcp/127.0.0.1/18090; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"]).stdout;
    await waitFor(() => fetch() === 'hello from minke\n');
    lab.ok('network', 'disconnect', 'one', 'shop');
    expect(fetch()).toBe('hello from minke\n');
    // Rules that somebody takes away under a running daemon come back, and nobody else's are touched.
    lab.run(['nft', 'flush ruleset; add table ip theirs']);
    await waitFor(() => lab.run(['nft', 'list', 'tables']).stdout.includes('table ip minke'));
    expect(lab.run(['nft', 'list', 'tables']).stdout).toContain('table ip theirs');
    lab.run(['nft', 'delete', 'table', 'ip', 'theirs']);
    expect(fetch()).toBe('hello from minke\n');
    lab.ok('rm', '-f', 'shop');
  });

  it('know links: names that one container alone has for another', () => {
    up('data', 'one');
    up('app', 'one', '--link', 'data:db');
    expect(inside('app', 'ping -c 1 -W 2 db | grep -c "1 packets received"')).toBe('1');
    expect(inside('data', 'nslookup db 127.0.0.11')).not.toContain('Name:');
    expect(lab.ok('inspect', '-f', '{{.NetworkSettings.Networks.one.Links}}', 'app')).toBe('[data:db]');
    up('old', 'bridge');
    expect(lab.ok('run', '--rm', '--link', 'old:legacy', IMAGE, 'sh', '-c', 'ping -c 1 -W 2 legacy | grep -c "1 packets received"')).toBe('1');
    lab.ok('stop', '-t', '0', 'old');
    expect(lab.docker('run', '--rm', '--link', 'old:legacy', IMAGE, 'true').stderr).toContain('Cannot link to a non running container: /old AS');
    expect(lab.docker('run', '--rm', '--link', 'a:b:c', IMAGE, 'true').stderr).toContain('bad format for links');
    lab.ok('rm', '-f', 'data', 'app', 'old');
  });

  it('use bridges that are there and leave them there, and take no other interface', () => {
    lab.run(['ip', 'link', 'add', 'own0', 'type', 'bridge']);
    lab.run(['ip', 'link', 'add', 'dum0', 'type', 'veth', 'peer', 'name', 'dum1']);
    expect(lab.docker('network', 'create', '-o', 'com.docker.network.bridge.name=dum0', 'own').stderr).toContain('is no bridge');
    lab.ok('network', 'create', '-o', 'com.docker.network.bridge.name=own0', 'own');
    expect(lab.ok('run', '--rm', '--network', 'own', IMAGE, 'sh', '-c', 'ping -c 1 -W 2 $(ip route | grep default | cut -d" " -f3) | grep -c "1 packets received"')).toBe('1');
    lab.ok('network', 'rm', 'own');
    expect(lab.run(['ip', '-br', 'link']).stdout).toMatch(/^own0/m);
    lab.run(['ip', 'link', 'del', 'own0']);
    lab.run(['ip', 'link', 'del', 'dum0']);
  });

  it('that were being removed when the daemon was killed are gone after it', async () => {
    const id = lab.ok('network', 'create', 'half');
    await lab.signalDaemon('SIGKILL');
    const record = `${lab.dataRoot}/networks/${id}.json`;
    renameSync(record, `${record}.removed`);
    await lab.startDaemon();
    expect(lab.docker('network', 'inspect', 'half').stderr).toContain('network half not found');
    expect(lab.run(['ip', '-br', 'link', 'show', `br-${id.slice(0, 12)}`]).code).not.toBe(0);
    expect(existsSync(`${record}.removed`)).toBe(false);
  });

  it('are internal, without talk among containers, or with addresses of choice', () => {
    lab.ok('network', 'create', '--internal', 'closed');
    expect(lab.ok('run', '--rm', '--network', 'closed', IMAGE, 'sh', '-c', 'ip route | grep -c default || true')).toBe('0');
    lab.ok('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', '-o', 'com.docker.network.bridge.name=quiet0', '-o', 'com.docker.network.driver.mtu=1400', 'quiet');
    up('q1', 'quiet');
    up('q2', 'quiet');
    expect(inside('q1', 'ping -c 1 -W 1 q2 | grep -c "1 packets received"')).toBe('0');
    expect(inside('q1', 'ping -c 1 -W 1 $(ip route | grep default | cut -d" " -f3) | grep -c "1 packets received"')).toBe('1');
    expect(inside('q1', 'cat /sys/class/net/eth0/mtu')).toBe('1400');
    expect(lab.run(['ip', '-br', 'link', 'show', 'quiet0']).stdout).toContain('quiet0');
    lab.ok('rm', '-f', 'q1', 'q2');
    lab.ok('network', 'create', '--subnet', '10.78.0.0/24', 'chosen');
    up('fixed', 'chosen', '--ip', '10.78.0.77', '--mac-address', '02:11:22:33:44:55');
    expect(inside('fixed', 'ip -4 -o addr show eth0 | grep -o "10.78.0.77/24"; cat /sys/class/net/eth0/address')).toBe('10.78.0.77/24\n02:11:22:33:44:55');
    expect(lab.docker('run', '--rm', '--network', 'chosen', '--ip', '10.78.0.77', IMAGE, 'true').stderr).toContain('Address already in use');
    expect(lab.docker('run', '--rm', '--network', 'chosen', '--ip', '10.79.0.7', IMAGE, 'true').stderr).toContain('does not belong to any of this network');
    expect(lab.docker('run', '--rm', '--network', 'one', '--ip', '172.18.0.9', IMAGE, 'true').stderr).toContain('user configured subnets');
    lab.ok('restart', '-t', '0', 'fixed');
    expect(address('fixed', 'chosen')).toBe('10.78.0.77');
    lab.ok('rm', '-f', 'fixed');
  });

  it('forward other names to the servers of the host, and share all of it with a joined container', async () => {
    const server = lab.spawn(['node', labFile(lab, 'name-server.mjs', NAME_SERVER)]);
    writeFileSync(`${lab.folder}/resolv.conf`, 'nameserver 127.0.0.53\n');
    lab.run(['mount', '--bind', `${lab.folder}/resolv.conf`, '/etc/resolv.conf']);
    up('asker', 'one');
    await waitFor(() => inside('asker', 'nslookup elsewhere 127.0.0.11').includes('192.0.2.77'));
    const overTcp = lab.run(['nsenter', '-t', lab.ok('inspect', '-f', '{{.State.Pid}}', 'asker'), '-n', 'node', labFile(lab, 'ask.mjs', TCP_CLIENT)]);
    expect(overTcp.stdout.trim()).toBe(address('asker', 'one'));
    expect(lab.ok('run', '--rm', '--network', 'container:asker', IMAGE, 'sh', '-c', 'nslookup asker 127.0.0.11 | grep -c "^Address: 172"')).toBe('1');
    expect(lab.ok('run', '--rm', '--network', 'container:asker', IMAGE, 'hostname')).toBe(lab.ok('exec', 'asker', 'hostname'));
    expect(lab.docker('run', '--rm', '--network', 'container:nobody', IMAGE, 'true').stderr).toContain('No such container: nobody');
    expect(lab.docker('network', 'connect', 'none', 'asker').stderr).toContain('private (none) mode');
    up('shut', 'closed');
    expect(inside('shut', 'nslookup elsewhere 127.0.0.11')).not.toContain('192.0.2.77');
    lab.run(['umount', '/etc/resolv.conf']);
    server.kill();
    lab.ok('rm', '-f', 'asker', 'shut');
  });

  it('are pruned, tell what happened, and leave nothing', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(lab.ok('events', '--since', '1h', '--until', '0s', '--filter', 'type=network', '--filter', 'network=chosen', '--format', '{{.Action}}').split('\n').slice(0, 3)).toEqual(['create', 'connect', 'disconnect']);
    expect(lab.ok('network', 'prune', '-f').split('\n').slice(1).toSorted()).toEqual(['chosen', 'closed', 'one', 'quiet', 'two']);
    expect(lab.ok('network', 'ls', '--format', '{{.Name}}').split('\n').toSorted()).toEqual(['bridge', 'host', 'none']);
    expect(leftovers(lab)).toEqual([]);
  });
});
