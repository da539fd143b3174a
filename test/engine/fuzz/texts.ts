import { readdirSync, readFileSync } from 'node:fs';
import { createIgnore, parseIgnore } from '../../../src/engine/build/ignore.ts';
import { compilePattern } from '../../../src/engine/build/patterns.ts';
import { parseRunMount } from '../../../src/engine/build/run-mount.ts';
import { expandWord, parseDockerfile, parseTrigger, splitWords } from '../../../src/engine/build/dockerfile/index.ts';
import { CliError } from '../../../src/engine/cli/cli-error.ts';
import { parseDevice, parseDeviceRate, parseDeviceWeight } from '../../../src/engine/cli/create/device-spec.ts';
import { parseKeyValueFile } from '../../../src/engine/cli/create/environment.ts';
import { parseMount, splitCsv } from '../../../src/engine/cli/create/mount-spec.ts';
import { parsePorts } from '../../../src/engine/cli/create/port-spec.ts';
import { parseTmpfs, parseVolumes } from '../../../src/engine/cli/create/volume-spec.ts';
import { parseEndpoint } from '../../../src/engine/cli/endpoint.ts';
import { parseMemoryBytes, parseNanoCpus } from '../../../src/engine/cli/flags/flag-kinds.ts';
import { parseBoundingSet } from '../../../src/engine/containers/capabilities.ts';
import { parseDetachKeys } from '../../../src/engine/containers/detach-keys.ts';
import { parseDeviceRule } from '../../../src/engine/containers/devices.ts';
import { parseLinkText } from '../../../src/engine/containers/endpoint-request.ts';
import { logBound } from '../../../src/engine/containers/log-lines.ts';
import { parseBind } from '../../../src/engine/containers/mount-plan.ts';
import { findMounts } from '../../../src/engine/containers/rootfs.ts';
import { parseSignal } from '../../../src/engine/containers/signals.ts';
import { parseSize } from '../../../src/engine/containers/sizes.ts';
import { parseIoStat, parseNetDev } from '../../../src/engine/containers/statistics.ts';
import { parseVolumesFrom } from '../../../src/engine/containers/volumes-from.ts';
import { parseArguments } from '../../../src/engine/daemon/options.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { compileTemplate, parseGoDuration, TemplateError } from '../../../src/engine/format/index.ts';
import { HttpError, parseQuery } from '../../../src/engine/http/index.ts';
import { bodyFraming, headerHas, parseRequestHead } from '../../../src/engine/http/request-head.ts';
import { entryPath } from '../../../src/engine/images/entry-path.ts';
import { formatPlatform, parsePlatform } from '../../../src/engine/images/platform.ts';
import { canonicalName, familiarName, parseReference } from '../../../src/engine/images/reference.ts';
import { parseRoutes, parseSubnet } from '../../../src/engine/network/ipam.ts';
import { formatIpv4, formatSubnet, parseIpv4 } from '../../../src/engine/network/ipv4.ts';
import { formatIpv6, formatSubnet6, parseIpv6 } from '../../../src/engine/network/ipv6.ts';
import { parseSubnet6 } from '../../../src/engine/network/ipam6.ts';
import { parseContainerPort, planPorts } from '../../../src/engine/network/port-bindings.ts';
import { formatResolvConf, parseExtraHost, resolvConfServers } from '../../../src/engine/network/resolver-files.ts';
import { compareVersions } from '../../../src/engine/os/release.ts';
import { readEntry } from '../../../src/engine/os/systemd-boot.ts';
import { decodeAuthHeader } from '../../../src/engine/registry/credentials.ts';
import { parseChallenges } from '../../../src/engine/registry/challenge.ts';
import { follow, formatUrl, parseUrl } from '../../../src/engine/registry/url.ts';
import { must, type Target } from './fuzz.ts';

const engineError = (error: unknown): boolean => error instanceof EngineError && error.kind !== 'internal';
/** What says no by a plain Error, and is asked for the words of it alone. */
const plainError = (error: unknown): boolean => error instanceof Error && error.name === 'Error' && !error.message.startsWith('wrong: ');
const cliError = (error: unknown): boolean => error instanceof CliError;
const folder = new URL('../dockerfiles/', import.meta.url);
const dockerfiles = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));

/** What is written again from what was read is read the same. */
function stable<T>(value: T | undefined, write: (value: T) => string, read: (text: string) => T | undefined): void {
  if (value === undefined) return;
  const text = write(value);
  const again = read(text);
  must(again !== undefined && write(again) === text, `${JSON.stringify(text)} does not come back`);
}

/** Parsers of texts: flags, files, headers, names. */
export const TEXTS: readonly Target[] = [
  {
    name: 'request heads', refusal: (error) => error instanceof HttpError, words: ['\r\n', ': ', 'HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', 'Content-Length: 5', ', ', '\t'],
    corpus: ['GET /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5', 'POST http://x/y HTTP/1.0\r\nConnection: keep-alive, Upgrade\r\nTransfer-Encoding: chunked'],
    run(input) {
      const head = parseRequestHead(input);
      must(head.path.startsWith('/') && !/[\r\n\0]/.test(head.path + head.query + [...head.headers].flat().join('')), 'a line end in a field');
      const framing = bodyFraming(head);
      must(framing.kind !== 'chunked' || !head.headers.has('content-length'), 'two lengths');
      headerHas(head, 'connection', 'close');
    },
  },
  { name: 'queries', corpus: ['a=1&b=%20x&c', 'filters=%7B%22a%22%3A%5B%22b%22%5D%7D&limit=-5&all=true'], words: ['&', '=', '%', '%2', '+'], run: (input) => void ['a', 'b', 'limit', 'all'].map((name) => [parseQuery(input).get(name), parseQuery(input).flag(name), parseQuery(input).integer(name)]) },
  { name: 'Dockerfiles', corpus: dockerfiles, refusal: engineError, words: ['FROM ', 'RUN ', 'COPY ', '--from=', '--mount=type=', '<<EOF\n', 'EOF\n', '\\\n', '# escape=`\n', 'ARG A=', 'ENV ', 'HEALTHCHECK ', '["a",', 'ONBUILD ', ' AS x'], run: parseDockerfile },
  { name: 'triggers', corpus: ['RUN true', 'COPY --from=x a b', 'ENV A=b'], refusal: engineError, words: ['ONBUILD ', 'FROM ', '<<EOF', '["'], run: parseTrigger },
  { name: 'words', corpus: ['a "b c" \'d\' \\e', 'A="b c" D=e'], words: ['\\', '"', "'"], refusal: engineError, run: (input) => splitWords(input, '\\') },
  {
    name: 'variables in words', corpus: ['$A ${B} ${C:-d} ${E:+f} ${G#*a} ${H%%b*} ${I/x/y}', '"${A}" \'$B\' \\$C ${D:?message}'], refusal: plainError, words: ['${', '}', ':-', ':+', ':?', '#', '##', '%', '%%', '/', '//', '*', '$A', '\\'],
    run: (input) => expandWord(input, (name) => (name === 'A' ? 'value/with/parts' : undefined), { escape: '\\' }),
  },
  {
    name: '.dockerignore', corpus: ['# comment\n*.log\n!keep.log\n**/node_modules\na/**/b\n/x/[a-z]?\n', 'a\\*b\n[^a]\n'], refusal: engineError, words: ['**', '**/', '*', '!', '[', ']', '[a-', '\\', '\n', '*a'],
    run: (input) => void ['a/b/c.log', 'x/node_modules/y', `${'a'.repeat(60)}/b`, 'a'.repeat(80)].map((path) => parseIgnore(input).ignores(path)),
  },
  { name: 'patterns', corpus: ['a*b?c[a-z]', '**/x/**', '[!a]\\*'], refusal: engineError, words: ['*', '**/', '[', ']', '-', '\\', '*a', '?'], run: (input) => void [compilePattern(input, true).test('a/'.repeat(30)), createIgnore([input])] },
  { name: 'RUN --mount', corpus: ['type=cache,target=/x,id=y,sharing=locked,mode=0755', 'type=secret,id=a,dst=/b,required', 'type=bind,from=x,source=/a,target=/b,rw'], refusal: engineError, words: ['type=', 'target=', ',', '=', 'uid=', 'size='], run: (input) => parseRunMount(input, 1) },
  {
    name: 'names of images', corpus: ['busybox', 'docker.io/library/busybox:latest', 'localhost:5000/a/b_c.d-e:tag', `x@sha256:${'a'.repeat(64)}`, '[::1]:5000/x'], refusal: engineError, words: ['/', ':', '@', 'sha256:', '.', '__', '-', 'A'],
    run: (input) => stable(parseReference(input), canonicalName, (text) => (familiarName(parseReference(text)) === '' ? undefined : parseReference(text))),
  },
  { name: 'platforms', corpus: ['linux/arm/v7', 'amd64', 'linux/arm64/v8'], refusal: engineError, words: ['/', 'linux', 'v'], run: (input) => stable(parsePlatform(input), formatPlatform, parsePlatform) },
  { name: 'entry paths', corpus: ['a/b/../c', './x//y/', '../x'], refusal: engineError, words: ['../', './', '//', '..'], run: (input) => must(!entryPath(input).split('/').includes('..') && !entryPath(input).startsWith('/'), 'a way out') },
  { name: 'addresses of registries', corpus: ['https://host:443/v2/x?y=z#f', 'http://[::1]:5000', 'https://user:pass@h/'], words: ['://', '@', ':', '[', ']', '/', '?', '#', '..'], run: (input) => stable(parseUrl(input), formatUrl, parseUrl) },
  { name: 'Location headers', corpus: ['/v2/x/blobs/uploads/1?_state=y', '../up', '//other/x', 'https://o/x'], words: ['..', '//', '?', ':'], run: (input) => stable(follow({ secure: true, host: 'h', port: 443, target: '/a/b?c' }, input), (url) => formatUrl(url), parseUrl) },
  { name: 'challenges', corpus: ['Bearer realm="https://a/token",service="r",scope="repository:x:pull,push"', 'Basic realm="a", Bearer realm=b'], words: ['="', '",', 'Bearer ', 'realm', '\\"', ','], run: parseChallenges },
  { name: 'X-Registry-Auth', corpus: [Buffer.from('{"username":"u","password":"p"}').toString('base64'), 'e30='], refusal: engineError, words: ['=', '-', '_', 'e30'], run: decodeAuthHeader },
  { name: 'arguments of the daemon', corpus: ['-H unix:///x --data-root /y --mtu=1400', '--dns 1.1.1.1 --live-restore=false -D'], refusal: engineError, words: ['--', '-H', '=', ' ', 'unix://', 'tcp://'], run: (input) => parseArguments(input.split(' ')) },
  { name: 'templates', corpus: ['{{.Names}} {{json .}} {{range $i, $e := .L}}{{$e}}{{else}}x{{end}}', '{{if and (eq .A "b") (gt .N 1)}}{{printf "%-10s|%v" .A .N | upper}}{{end}}', 'table {{.ID}}\t{{truncate .A 3}}{{"a" | print}}{{/* c */}}{{- .A -}}{{index .M "k" }}{{slice .A 0 1}}{{with .M}}{{.k}}{{end}}'], refusal: (error) => error instanceof TemplateError, words: ['{{', '}}', '{{-', '-}}', ' | ', '(', ')', 'range ', 'end', '$', ':=', '.A', 'printf "%', '"', '`', 'index ', 'len ', '-1'], run: (input) => compileTemplate(input).render({ Names: 'n', A: 'text', N: 3, L: [1, 2], M: { k: 'v' }, ID: 'x' }) },
  { name: 'durations', corpus: ['1h30m', '-1.5s', '300ms', '1h2m3s4ms5us6ns', '1h30'.repeat(40), '0'.repeat(200_000)], words: ['h', 'm', 's', 'µs', '.', '-', '9'], run: (input) => { const value = parseGoDuration(input); must(value === null || !Number.isNaN(value), 'a number that is none'); } },
  { name: 'sizes', corpus: ['10m', '1.5GiB', '-1', '512'], words: ['k', 'm', 'g', 'b', 'i', '.', '-'], run: (input) => { for (const value of [parseSize(input), parseMemoryBytes(input), parseNanoCpus(input)]) must(value === undefined || value === null || Number.isFinite(value), 'a number that is none'); } },
  { name: 'binds', corpus: ['/a:/b:ro,z', 'vol:/x', '/x:/y:rshared,nocopy'], refusal: engineError, words: [':', '/', 'ro', ',', '..'], run: parseBind },
  { name: '--mount', corpus: ['type=bind,source=/a,target=/b,readonly', 'type=tmpfs,dst=/x,tmpfs-size=10m,tmpfs-mode=1777', '"type=volume","src=a,b",dst=/x,volume-opt=a=b'], words: ['"', ',', '=', 'type=', 'volume-opt='], run: (input) => [splitCsv(input), parseMount(input, '/w')], refusal: cliError },
  { name: '--volume and --tmpfs', corpus: ['/a:/b', 'x:/y:ro', '/t:size=1m'], words: [':', ','], refusal: cliError, run: (input) => [parseVolumes([input], '/w'), parseTmpfs([input])] },
  { name: '--publish', corpus: ['8080:80', '127.0.0.1:1000-1010:2000-2010/udp', '[::1]:80:80', '80'], words: [':', '-', '/', 'tcp', '[', ']', '65535', '65536', '0-65535'], refusal: cliError, run: (input) => parsePorts([input], [input]) },
  { name: 'published ports', corpus: ['80/tcp 1.2.3.4 8080', '53/udp :: 1000-1010'], words: [' ', '-', '/'], refusal: engineError, run: (input) => { const [name = '', HostIp = '', HostPort = ''] = input.split(' '); parseContainerPort(name); planPorts({ [name]: [{ HostIp, HostPort }] }, [name], true); } },
  { name: '--device', corpus: ['/dev/a:/dev/b:rwm', '/dev/x:r', '/dev/sda:1mb', '/dev/sda:100'], words: [':', 'rwm', '/dev/'], refusal: cliError, run: (input) => { for (const parse of [parseDevice, parseDeviceWeight, (text: string) => parseDeviceRate(text, 'bytes')]) { try { parse(input); } catch (error) { if (!cliError(error)) throw error; } } } },
  { name: 'device rules', corpus: ['c 1:3 rwm', 'a *:* rwm', 'b 8:* r'], words: [':', '*', ' ', 'c'], run: parseDeviceRule },
  { name: 'env files', corpus: ['A=b\n# c\nD\n E=f ', '\ufeffA=b\r\n'], words: ['=', '\n', '#'], refusal: cliError, run: (input) => parseKeyValueFile('file', input) },
  { name: 'endpoints of the client', corpus: ['unix:///var/run/x', 'tcp://h:1', 'http://[::1]:2/p'], words: ['://', ':', 'npipe', 'ssh'], refusal: cliError, run: (input) => parseEndpoint(input, null) },
  { name: 'volumes-from', corpus: ['a:ro', 'b', 'c:z,rw'], words: [':', ','], refusal: engineError, run: parseVolumesFrom },
  { name: 'links', corpus: ['/a:/b/c', 'x:y', 'z'], words: [':', '/'], refusal: engineError, run: parseLinkText },
  { name: 'detach keys', corpus: ['ctrl-p,ctrl-q', 'a,b', 'ctrl-@'], words: ['ctrl-', ','], refusal: engineError, run: parseDetachKeys },
  { name: 'signals', corpus: ['SIGTERM', '9', 'rtmin+3', 'kill'], words: ['SIG', 'RTMIN', '+', '-'], refusal: engineError, run: parseSignal },
  { name: 'bounds of logs', corpus: ['1700000000.123', '2026-01-01T00:00:00Z', '10', '2026-01-01T00:00:00.5+02:00'], words: ['T', 'Z', '.', '+02:00', '-'], run: logBound },
  { name: '/proc/net/dev', corpus: ['Inter-|   Receive\n face |bytes\n    lo:  1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0: 5 5\n'], words: [':', '\n', ' '], run: parseNetDev },
  { name: 'io.stat', corpus: ['8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n'], words: [':', '=', '\n'], run: parseIoStat },
  { name: '/proc/self/status', corpus: ['Name:\tx\nCapBnd:\t000001ffffffffff\n'], words: ['CapBnd:', '\t', 'f'], run: parseBoundingSet },
  { name: '/proc/self/mountinfo', corpus: ['36 35 98:0 / /data/containers/abc/rootfs rw - overlay overlay rw\n', '1 2 3:4 / /data/containers/a\\040b/rootfs rw\n'], words: ['\\040', '\\', ' ', '/data/containers/'], run: (input) => findMounts(input, '/data/containers') },
  { name: '/proc/net/route', corpus: ['Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\neth0\t0001A8C0\t0\t1\t0\t0\t0\t00FFFFFF\n'], words: ['\t', '\n', 'FFFFFFFF'], run: parseRoutes },
  { name: 'resolv.conf', corpus: ['nameserver 1.1.1.1\nsearch a b\noptions ndots:2 timeout:1\n# x\n', 'nameserver 127.0.0.53\ndomain x ; y\n'], words: ['nameserver ', 'search ', 'options ', '\n', '#', '::1'], run: (input) => [resolvConfServers(input), formatResolvConf(input, { servers: [], search: [], options: [] }, false)] },
  { name: 'extra hosts', corpus: ['a:1.2.3.4', 'b:host-gateway', 'c:[::1]', 'd=::1'], words: [':', '=', '[', ']'], refusal: engineError, run: (input) => parseExtraHost(input, '10.0.0.1') },
  { name: 'IPv4', corpus: ['1.2.3.4', '255.255.255.255'], words: ['.', '256', '01'], run: (input) => stable(parseIpv4(input), formatIpv4, parseIpv4) },
  { name: 'IPv6', corpus: ['::1', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'], words: [':', '::', '1.2.3.4', '%eth0'], run: (input) => stable(parseIpv6(input), formatIpv6, parseIpv6) },
  { name: 'IPv4 subnets', corpus: ['10.0.0.0/8', '10.1.2.3/24', '0.0.0.0/0'], words: ['/', '/33', '/-1'], refusal: engineError, run: (input) => stable(parseSubnet(input), formatSubnet, parseSubnet) },
  { name: 'IPv6 subnets', corpus: ['fd00::/64', '::/0', 'fd00::1/128'], words: ['/', '/129', ':'], refusal: engineError, run: (input) => stable(parseSubnet6(input), formatSubnet6, parseSubnet6) },
  { name: 'versions', corpus: ['1.10~rc1 1.9', '2026.1 2026.01'], words: ['~', '.', '0', ' '], run: (input) => { const [a = '', b = ''] = input.split(' '); must(Math.sign(compareVersions(a, b)) === -Math.sign(compareVersions(b, a)), 'an order that depends on who asks'); } },
  { name: 'boot entries', corpus: ['title x\nversion 1\nlinux /a\noptions root=x quiet\n'], words: ['\n', ' ', 'options ', 'minke.trial'], refusal: engineError, run: (input) => [readEntry('minke-a+3-1.conf', () => input), readEntry(`${input}.conf`, () => 'options x')] },
];
