import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dockerAnswers } from './support/docker-answers.ts';
import { runDockerCli } from './support/docker-cli.ts';
import { fakeDaemon, type FakeDaemon, type SeenRequest } from './support/fake-daemon.ts';
import { recordedRoutes } from './support/recorded-engine.ts';
import { runBinary, runners } from './support/run-cli.ts';

process.env['TZ'] = 'UTC';
const docker = dockerAnswers('docker-28-output');

const now = docker.recordedAtMs === null ? {} : { nowMs: docker.recordedAtMs };

function changes(requests: readonly SeenRequest[]): string[] {
  return requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')
    .map(({ method, path, query }) => `${method} ${path} ${[...query].filter(([, value]) => value !== '').sort().join('&')}`).sort();
}

/** Same words to Docker's own client and to ours, on the same recorded engine: output and exit status must agree. */
const sameOutput: readonly string[][] = [
  ['ps'], ['ps', '-a', '--no-trunc'], ['ps', '-q'], ['ps', '-s'], ['ps', '--format', '{{.Names}}|{{.Label "com.example.role"}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}|{{.CreatedAt}}'],
  ['ps', '--format', 'table {{.ID}}\\t{{.Names}}\\t{{.Label "tier"}}\\t{{.State}}'], ['ps', '--format', '{{.Names'], ['ps', '--format', '{{json .Ports}}'],
  ['container', 'ls', '-n', '1', '-f', 'status=running', '-f', 'label=a=b'],
  ['images'], ['images', '-q'], ['images', '--digests'], ['images', '--no-trunc'], ['images', 'nginx'], ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}} {{.Size}} {{.CreatedAt}}'], ['images', '--format', 'json'],
  ['network', 'ls'], ['network', 'ls', '-q', '--no-trunc'], ['network', 'ls', '--format', '{{.Name}} {{.Label "x"}} {{.CreatedAt}} {{.Internal}}'], ['network', 'ls', '--format', 'json'],
  ['volume', 'ls'], ['volume', 'ls', '-q'], ['volume', 'ls', '--format', '{{.Name}} {{.Labels}} {{.Mountpoint}}'],
  ['inspect', 'web'], ['inspect', '-f', '{{.State.Pid}}', 'web'], ['inspect', '--type', 'container', 'web'], ['inspect', 'web', 'missing'], ['inspect', 'missing'], ['container', 'inspect', 'missing'], ['image', 'inspect', 'missing'],
  ['network', 'inspect', 'missing'], ['volume', 'inspect', 'missing'], ['inspect', '-f', '{{.Nope}}', 'web'], ['inspect', '--format', 'json', 'web'], 
  ['history', 'nginx'], ['history', '--no-trunc', '-H=false', 'nginx'], ['history', '-q', 'nginx'],
  ['top', 'web'], ['diff', 'web'], ['port', 'web'], ['port', 'web', '80'], ['port', 'web', '81'],
  ['events', '--until', '1760000002'], ['events', '--until', '1760000002', '--format', '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'],
  ['stop', 'web'], ['stop', '-t', '3', 'web', 'db'], ['kill', '-s', 'HUP', 'web'], ['restart', 'web'], ['pause', 'web'], ['unpause', 'web'], ['start', 'web'], ['rm', 'web'], ['rm', '-fv', 'web', 'missing'],
  ['rmi', 'nginx'], ['rmi', 'missing'], ['volume', 'create', 'made'], ['network', 'create', 'made'], ['create', 'nginx'],
  ['container', 'prune', '-f'], ['image', 'prune', '-f', '-a'], ['volume', 'prune', '-f'], ['network', 'prune', '-f'], ['system', 'prune', '-f'], ['container', 'prune'],
  ['system', 'df'], ['ps', 'x'], ['rm'], ['exec', 'web'], ['tag', 'a'], ['ps', '--fooo-bar'], ['run', '-Z', 'x'], ['run', '-m', 'abc', 'x'], ['run', '--name'], ['run', '-m'], ['run', '--rm=foo', 'x'],
  ['run', '-p', 'foo', 'x'], ['run', '-p', '1:2:3:4', 'x'], ['run', '-p', '70000:80', 'x'], ['run', '-p', '80/foo', 'x'], ['run', '--rm', '--restart', 'always', 'x'], ['run', '--env-file', '/no/such/file', 'x'], ['run', '--ulimit', 'foo', 'x'], ['run', '--ulimit', 'nofile=5:3', 'x'],
  ['run', '--mount', 'type=bind', 'x'], ['run', '--mount', 'type=bind,src=/a,dst=/b,foo=bar', 'x'], ['run', '-e', '=x', 'y'], ['run', '--add-host', 'foo', 'x'], ['run', '--cpus', 'abc', 'x'], ['run', '--health-interval', 'x', 'y'], ['run', '-t', '-i', 'x'], ['images', '-f', 'foo'],
  ['run', '-d', '-a', 'stdout', 'x'], ['create', '--blkio-weight', '99999', 'x'], ['ps', '-n', 'abc'], ['load', '-i', '/no/such/file'], ['load'], ['logs', 'missing'], ['wait', 'missing'],
];


describe.each(runners)("output against Docker's command line, %s", (_name, run) => {
  beforeEach((context) => {
    if (run === runBinary && docker.recordedAtMs !== null) context.skip('the recorded answers tell ages of another day: needs Docker\'s command line 28');
  });
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await fakeDaemon({ routes: recordedRoutes });
  });
  afterAll(async () => {
    docker.finish();
    await daemon.close();
  });

  it.each(sameOutput.map((args) => [args.join(' '), args] as const))('%s', async (_title, args) => {
    daemon.seen.splice(0);
    const theirs = await docker.of(args.join(' '), async () => ({ ...(await runDockerCli(args, daemon.host)), requests: changes(daemon.seen.splice(0)) }));
    const ours = await run(args, daemon.host, now);
    // Docker walks a hash map where one image has several repositories: the order of its lines is chance.
    const lines = (text: string) => (args[0]?.startsWith('image') ? text.split('\n').sort() : text);
    expect(lines(ours.stdout)).toEqual(lines(theirs.stdout));
    expect(ours.stderr).toBe(theirs.stderr);
    expect(ours.code).toBe(theirs.code);
    expect(changes(daemon.seen.splice(0))).toEqual(theirs.requests);
  });

  // The shapes of templates/*.test.ts, seen by Docker's own template engine.
  it.each([
    '{{.Config.Env}}', '{{json .Config.Labels}}', '{{index .Config.Labels "tier"}}', '{{index .Config.Labels "none"}}|', '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '{{.HostConfig.Binds}}', '{{.HostConfig.CapAdd}}',
    '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', '{{range $k, $v := .NetworkSettings.Ports}}{{$k}}={{len $v}};{{end}}', '{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}',
    '{{if .State.Running}}up{{else}}down{{end}}', '{{if and .State.Running (eq .Name "/web")}}yes{{end}}', '{{with .Config}}{{len .Env}}{{$.Name}}{{end}}', '{{$x := .State.Pid}}{{$x = 7}}{{$x}}',
    '{{.Name | printf "%s-%s" "n" | upper}}', '{{printf "%-6s|%5d|%05d|%q|%v|%t|%x" "ab" .State.Pid 42 "q\\"x" .Config.Env true 255}}', '{{printf "%s"}}', '{{printf "a" 1}}', '{{printf "%d" "x"}}', '{{println "a" 1 .State.Running}}',
    '{{print 1 2 "x" 3}}', '{{join .Config.Env ", "}}', '{{range split "a,b" ","}}<{{.}}>{{end}}', '{{title "hello big world"}}{{pad "x" 1 2}}|{{truncate "abcdef" 3}}', '{{0x10}} {{1e3}} {{\'a\'}} {{1.5}}', 'a {{- .Name -}}  b', '{{/* c */}}x{{- /* t */ -}} y',
    '{{define "row"}}<{{.}}>{{end}}{{range .Config.Env}}{{template "row" .}}{{end}}', '{{eq .State.Pid 1 4242}} {{ne .Name "x"}} {{lt 1 2}} {{ge "b" "a"}}', '{{slice .Name 1 3}}{{len "né"}}', '{{html .Config.Env}}', '{{urlquery "a b&c"}}',
    '{{range .Config.Env}}{{.}}{{break}}{{end}}', '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}', '{{json .State.Running}}{{json .Args}}', '{{.Config.Labels.tier}} {{.Config.Labels.nope}}', '{{range .Mounts}}{{.Source}}:{{.Destination}}{{end}}', '{{not true}}{{or "" "b"}}{{and 1 0}}', '{{.HostConfig.DNS}}',
  ].map((source) => [source]))('template %s', async (source) => {
    const args = ['inspect', '--format', source, 'web'];
    const theirs = await docker.of(args.join(' '), async () => ({ ...(await runDockerCli(args, daemon.host)), requests: [] }));
    const ours = await run(args, daemon.host, now);
    expect({ stdout: ours.stdout, code: ours.code }).toEqual({ stdout: theirs.stdout, code: theirs.code });
  });
});
