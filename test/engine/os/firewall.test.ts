import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { firewallRules } from '../../../src/engine/os/config/firewall.ts';
import { hasProgram, isRoot } from '../../support/need.ts';

const obstacle = !isRoot ? 'needs root' : ['nft', 'busybox', 'ip', 'unshare', 'nsenter'].every(hasProgram) ? '' : 'needs nft, busybox, iproute2 and util-linux';

/**
 * A device and somebody else, in network namespaces of their own with a cable between them. The device serves TCP on 80, 5005 and 22222; whoever
 * asks gets the port's number. Prints a line a question: the port, and what was answered.
 */
const script = `
set -eu
rules=$1; shift
unshare -n sleep 300 </dev/null & other=$!
trap 'kill $other $servers 2>/dev/null || true' EXIT
servers=
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add device0 type veth peer name other0
ip link set other0 netns $other
ip addr add 192.0.2.1/24 dev device0; ip -6 addr add 2001:db8::1/64 dev device0 nodad
ip link set device0 up; ip link set lo up
nsenter -t $other -n sh -c 'ip addr add 192.0.2.2/24 dev other0; ip -6 addr add 2001:db8::2/64 dev other0 nodad; ip link set other0 up; ip link set lo up'
for port in 80 5005 22222; do
  mkdir -p "$rules.d/$port"; echo $port >"$rules.d/$port/index.html"
  busybox httpd -f -p "[::]:$port" -h "$rules.d/$port" & servers="$servers $!"
done
cat >"$rules.ask" <<'END'
echo "$1 $(busybox timeout 10 busybox wget -q -O - "http://$2:$1/" 2>/dev/null || echo nothing)"
END
for port in 80 5005 22222; do until [ "$(sh "$rules.ask" $port 127.0.0.1)" = "$port $port" ]; do sleep 0.1; done; done
for file in "$@"; do
  if [ "$file" = none ]; then nft delete table inet minke_host; else nft -f "$file"; fi
  echo "# $(basename "$file")"
  asked=
  for port in 80 5005 22222; do for address in 192.0.2.1 '[2001:db8::1]'; do
    nsenter -t $other -n sh "$rules.ask" $port "$address" >"$rules.$port.$address" & asked="$asked $!"
  done; done
  for one in $asked; do wait $one; done
  for port in 80 5005 22222; do cat "$rules.$port.192.0.2.1" "$rules.$port.[2001:db8::1]"; done
  sh "$rules.ask" 80 192.0.2.1
  nsenter -t $other -n busybox ping -q -c 1 -W 5 192.0.2.1 >/dev/null && echo ping
done
`;

describe.skipIf(obstacle !== '')(`the firewall of the host (${obstacle === '' ? 'in network namespaces' : obstacle})`, () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-firewall-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, allow: readonly string[], development = false): string => {
    const path = join(folder, name);
    writeFileSync(path, firewallRules(allow, { development }));
    return path;
  };

  test('shuts what nobody allowed, for IPv4 and IPv6, replaces its rules, and leaves nothing behind', () => {
    const { status, stdout, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', script, 'sh', join(folder, 'work'), file('shut', []), file('web', ['80/tcp']), file('range', ['5010-5000/tcp', '1-65535/udp']), 'none'], { encoding: 'utf8', timeout: 110_000 });
    expect(status, stderr).toBe(0);
    const round = (name: string, ...answers: string[]): string => [`# ${name}`, ...answers.map((answer, index) => `${[80, 80, 5005, 5005, 22222, 22222][index] ?? 80} ${answer}`), '80 80', 'ping'].join('\n');
    expect(stdout.trim().split(/\n(?=#)/)).toEqual([
      round('shut', 'nothing', 'nothing', 'nothing', 'nothing', '22222', '22222'),
      round('web', '80', '80', 'nothing', 'nothing', '22222', '22222'),
      round('range', 'nothing', 'nothing', '5005', '5005', '22222', '22222'),
      round('none', '80', '80', '5005', '5005', '22222', '22222'),
    ]);
  }, 120_000);

  test('lets the engine be asked in development alone', () => {
    expect(firewallRules([], { development: true })).toContain('tcp dport 2375 accept');
    expect(firewallRules([], { development: false })).not.toContain('2375');
  });

  test('takes every port that the keys of config.json take', () => {
    const all = file('all', ['1/tcp', '65535/udp', '80-80/tcp', ...Array.from({ length: 250 }, (_, index) => `${index * 250 + 1}-${index * 250 + 99}/udp`)], true);
    expect(spawnSync('unshare', ['-n', 'sh', '-c', 'nft -c -f "$1" && nft -f "$1" && nft -f "$1" && nft list ruleset | grep -c accept', 'sh', all], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '263\n', stderr: '' });
  });
});
