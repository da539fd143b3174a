import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IMAGE, labFile, labObstacle, loadBusybox, openLab, waitFor, type Lab, type Outcome } from '../support/lab.ts';
import { dockerCliObstacle } from './support/docker-cli.ts';

const obstacle = labObstacle();
const dockerObstacle = dockerCliObstacle();

/** Ids, times and ages differ from run to run. */
function stable(outcome: Outcome): Outcome {
  const text = (value: string) => value
    .replace(/\b[0-9a-f]{64}\b/g, '<id>').replace(/\b[0-9a-f]{12}\b/g, '<short>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, '<time>').replace(/(Less than a second|About a minute|\d+ (seconds?|minutes?|hours?)) */g, '<age> ').replace(/\d{2}:\d{2}(:\d{2})?/g, '<clock>')
    .replace(/ {2,}/g, '  ');
  return { code: outcome.code, stdout: text(outcome.stdout), stderr: text(outcome.stderr) };
}

describe('the command line against the daemon', () => {
  let lab: Lab;
  let minke: string;
  const ours = (...args: string[]) => lab.run([minke, ...args]);

  beforeEach((context) => {
    if (obstacle !== undefined) context.skip(obstacle);
  });
  beforeAll(async () => {
    if (obstacle !== undefined) return;
    lab = await openLab();
    await lab.startDaemon();
    loadBusybox(lab);
    // Called by Docker's name, so that the words of messages agree too.
    minke = join(lab.folder, 'docker');
    symlinkSync(process.env['OSBUILD_ENGINE_BINARY'] ?? '', minke);
    ours('run', '-d', '--name', 'web', '-p', '18080:80', '-e', 'A=1', '-l', 'tier=front', '-v', 'data:/data', IMAGE, 'sh', '-c', 'echo started; echo warned >&2; exec sleep 1000');
    ours('run', '--name', 'ended', IMAGE, 'sh', '-c', 'exit 3');
  });
  afterAll(() => (obstacle === undefined ? lab.close() : undefined));

  /** The very same words to both clients of the same daemon. */
  it.for([
    ['ps', '-a'], ['ps', '-aq', '--no-trunc'], ['ps', '--format', '{{.Names}} {{.Ports}} {{.Mounts}} {{.Networks}} {{.Label "tier"}}'], ['ps', '-a', '-f', 'status=exited', '--format', 'json'], ['images'], ['images', '-q', '--no-trunc'],
    ['logs', 'web'], ['logs', '-n', '1', '-t', 'web'], ['inspect', 'web'], ['inspect', '-f', '{{.State.Status}} {{json .Config.Env}} {{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}', 'web'], ['inspect', 'nothing'], ['image', 'inspect', IMAGE],
    ['port', 'web'], ['top', 'web', '-o', 'pid,args'], ['volume', 'ls'], ['volume', 'inspect', 'data'], ['network', 'ls'], ['network', 'inspect', 'bridge'], ['info', '--format', '{{.Driver}} {{.Containers}}'], ['version', '--format', '{{.Server.Version}} {{.Server.APIVersion}}'],
    ['run', '--rm', IMAGE, 'sh', '-c', 'echo out; echo err >&2; exit 7'], ['run', '--rm', IMAGE, 'nonsense'], ['run', '--rm', IMAGE, '/etc/passwd'], ['run', '--rm', 'no-such-image:1', 'true'], ['run', '--name', 'web', IMAGE], ['run', '--rm', '--network', 'nowhere', IMAGE, 'true'],
    ['run', '--rm', '-e', 'B=2', '-w', '/tmp', '-u', '1000', '-h', 'box', '--read-only', '--tmpfs', '/scratch', '--cap-drop', 'ALL', IMAGE, 'sh', '-c', 'env | sort | grep -v HOSTNAME; pwd; id -u; hostname; touch /x'],
    ['exec', 'web', 'sh', '-c', 'echo $A; echo oops >&2; exit 9'], ['exec', 'web', 'nonsense'], ['exec', 'ended', 'true'], ['exec', 'nothing', 'true'], ['exec', '-u', '1000', '-w', '/tmp', '-e', 'C=3', 'web', 'sh', '-c', 'id -u; pwd; echo $C'],
    ['start', 'nothing'], ['start', 'web'], ['stop', 'nothing', 'ended'], ['kill', 'ended'], ['kill', '-s', 'NOPE', 'web'], ['rm', 'web'], ['rm', 'nothing'], ['rmi', 'nothing'], ['rmi', IMAGE], ['wait', 'ended'], ['tag', IMAGE, 'UPPER'], ['attach', 'ended'],
    ['events', '--since', '1h', '--until', '0s', '--filter', 'container=ended', '--filter', 'event=die', '--format', '{{.Action}} {{.Actor.Attributes.exitCode}}'], ['volume', 'rm', 'data'], ['volume', 'inspect', 'nothing'], ['load', '-i', '/no/such/file'],
  ].map((args) => [args.join(' '), args] as const))('%s', ([, args], context) => {
    if (dockerObstacle !== null) context.skip(dockerObstacle);
    const theirs = stable(lab.docker(...args));
    expect(stable(ours(...args))).toEqual(theirs);
  });

  it('carries much input and output through a pipe', () => {
    const input = Buffer.alloc(3_000_000, 'line of text\n');
    const result = lab.run([minke, 'run', '--rm', '-i', IMAGE, 'cat'], input);
    expect(result.code).toBe(0);
    expect(result.stdout.length).toBe(input.length);
    expect(lab.run([minke, 'exec', '-i', 'web', 'wc', '-c'], input).stdout.trim()).toBe(String(input.length));
  });

  it('loads and lists an archive that it reads from a file', () => {
    const archive = labFile(lab, 'not-an-archive.tar', 'this is no archive');
    const failed = ours('load', '-i', archive);
    expect(failed.code).toBe(1);
    expect(failed.stderr).not.toContain('(a bug)');
  });

  it('runs interactively on a terminal, restores it, gives the exit status', () => {
    const script = `stty rows 33 cols 101; before=$(stty -g); '${minke}' run --rm -it ${IMAGE} sh -c 'sleep 0.3; stty size; exit 6'; echo "status $?"; [ "$before" = "$(stty -g)" ] && echo same terminal`;
    const { stdout } = lab.run(['script', '-qec', script, '/dev/null']);
    expect(stdout).toContain('33 101');
    expect(stdout).toContain('status 6');
    expect(stdout).toContain('same terminal');
  });

  it('detaches from a terminal and attaches again', async () => {
    const first = lab.spawn(['script', '-qec', `'${minke}' run --name shell -it ${IMAGE} sh; echo "status $?"`, '/dev/null']);
    let shown = '';
    first.stdout?.on('data', (data: Buffer) => { shown += data.toString(); });
    // Typed before the terminal is raw, ctrl-q would be flow control.
    await waitFor(() => shown.includes('/ #'), 20_000);
    first.stdin?.write('\x10\x11');
    await waitFor(() => shown.includes('status 0'), 20_000);
    expect(lab.ok('inspect', '-f', '{{.State.Running}}', 'shell')).toBe('true');
    const again = lab.spawn(['script', '-qec', `'${minke}' attach shell; echo "status $?"`, '/dev/null']);
    let seen = '';
    again.stdout?.on('data', (data: Buffer) => { seen += data.toString(); });
    again.stdin?.write('echo t""wo\n');
    await waitFor(() => /^two\r?$/m.test(seen) || again.exitCode !== null);
    again.stdin?.write('exit 5\n');
    await waitFor(() => seen.includes('status 5'), 20_000);
  });

  it('hands SIGTERM on to the container and ends with its status', async () => {
    const child = lab.spawn([minke, 'run', '--rm', '--name', 'proxied', IMAGE, 'sh', '-c', 'trap "exit 4" TERM; echo ready; while :; do sleep 0.1; done']);
    let seen = '';
    child.stdout?.on('data', (data: Buffer) => { seen += data.toString(); });
    await waitFor(() => seen.includes('ready'), 20_000);
    child.kill('SIGTERM');
    await waitFor(() => child.exitCode !== null, 20_000);
    expect(child.exitCode).toBe(4);
  });

  it('says so when the daemon is killed in the middle, and the container goes on', async () => {
    const child = lab.spawn([minke, 'run', '--name', 'orphan', IMAGE, 'sleep', '1000']);
    let errors = '';
    child.stderr?.on('data', (data: Buffer) => { errors += data.toString(); });
    await waitFor(() => lab.docker('inspect', '-f', '{{.State.Running}}', 'orphan').stdout.trim() === 'true', 20_000);
    await lab.signalDaemon('SIGKILL');
    await waitFor(() => child.exitCode !== null, 20_000);
    expect(child.exitCode).toBe(125);
    expect(errors).toMatch(/daemon at unix:\/\/\S+ (closed|ended) the connection/);
    const refused = ours('ps');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^Cannot connect to the Docker daemon at unix:/);
    await lab.startDaemon();
    expect(ours('ps', '--format', '{{.Names}}', '-f', 'name=orphan').stdout).toBe('orphan\n');
  });
});
