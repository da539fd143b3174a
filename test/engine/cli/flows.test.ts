import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { dockerCliObstacle, runDockerCli } from './support/docker-cli.ts';
import { fakeDaemon, frame, type FakeDaemon, type FakeDaemonOptions } from './support/fake-daemon.ts';
import { container, containerId } from './support/recorded-engine.ts';
import { runners, type CliRunner } from './support/run-cli.ts';

/**
 * What a container does, as a script: written when it is started, then its exit status. With `echo`, what comes on its
 * standard input is written back until the input ends.
 */
interface Scripted {
  readonly output?: readonly Buffer[];
  readonly exitCode?: number;
  readonly echo?: boolean;
  readonly startError?: { status: number; message: string };
  readonly missingImage?: boolean;
}

interface World extends FakeDaemon {
  readonly order: string[];
}

async function world(script: Scripted, options: FakeDaemonOptions = {}): Promise<World> {
  const order: string[] = [];
  let attached: Duplex | null = null;
  let finishWait: ((code: number) => void) | null = null;
  let imageThere = !script.missingImage;
  const end = () => {
    attached?.end();
    finishWait?.(script.exitCode ?? 0);
  };
  const daemon = await fakeDaemon({
    ...options,
    routes: {
      'POST /containers/create': () => (imageThere ? { json: { Id: containerId, Warnings: ['low on luck'] } } : { status: 404, json: { message: 'No such image: busybox:latest' } }),
      'POST /images/create': ({ query }) => {
        imageThere = true;
        order.push(`pull ${query.get('fromImage')}:${query.get('tag')}`);
        return { text: ['{"status":"Pulling from library/busybox","id":"latest"}', '{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"aaa"}', '{"status":"Pull complete","progressDetail":{},"id":"aaa"}', '{"status":"Status: Downloaded newer image for busybox:latest"}'].join('\r\n') };
      },
      'POST /containers/[^/]+/wait': ({ query }) => {
        order.push(`wait ${query.get('condition') ?? ''}`);
        return { headers: { 'Content-Type': 'application/json' }, stream: (response) => { finishWait = (code) => response.end(`{"StatusCode":${code}}\n`); } };
      },
      'POST /containers/[^/]+/start': () => {
        order.push('start');
        if (script.startError) {
          setTimeout(() => finishWait?.(0), 20);
          return { status: script.startError.status, json: { message: script.startError.message } };
        }
        for (const part of script.output ?? []) attached?.write(part);
        if (!script.echo) setTimeout(end, 20);
        return { status: 204 };
      },
      'POST /containers/[^/]+/exec': () => ({ json: { Id: 'e1' } }),
      'GET /exec/e1/json': () => ({ json: { Running: false, ExitCode: script.exitCode ?? 0 } }),
      'POST /exec/e1/start': () => ({}),
      'GET /info': () => ({ json: { OSType: 'linux', Swarm: { LocalNodeState: 'inactive' } } }),
      'GET /containers/[^/]+/json': () => ({ json: container }),
      ...options.routes,
    },
    hijacks: {
      '/containers/[^/]+/attach': (socket, { query }) => {
        order.push(`attach ${['stdin', 'stdout', 'stderr'].filter((name) => query.get(name) === '1').join('+')}`);
        attached = socket;
        socket.resume();
        if (script.echo) {
          socket.on('data', (data: Buffer) => socket.write(frame(1, data)));
          socket.on('end', end);
        }
      },
      '/exec/e1/start': (socket) => {
        order.push('exec');
        for (const part of script.output ?? []) socket.write(part);
        if (script.echo) {
          socket.on('data', (data: Buffer) => socket.write(frame(1, data)));
          socket.on('end', () => socket.end());
        } else socket.end();
      },
      ...options.hijacks,
    },
  });
  return Object.assign(daemon, { order });
}

const dockerRunner: ReadonlyArray<readonly [string, CliRunner]> = dockerCliObstacle() === null ? [['(docker itself, so that the expectations are its)', runDockerCli]] : [];

describe.each([...runners, ...dockerRunner])('runs containers %s', (_name, run) => {
  let daemon: World | null = null;
  afterEach(() => daemon?.close());

  it('attaches and waits before it starts, keeps the streams apart, gives the exit status', async () => {
    daemon = await world({ output: [frame(1, 'out 1\n'), frame(2, 'err 1\n'), frame(1, 'out 2\n')], exitCode: 3 });
    const result = await run(['run', 'busybox', 'sh'], daemon.host);
    expect(result).toMatchObject({ code: 3, stdout: 'out 1\nout 2\n', stderr: 'WARNING: low on luck\nerr 1\n' });
    expect(daemon.order).toEqual(['attach stdout+stderr', 'wait next-exit', 'start']);
  });

  it('waits for the removal with --rm', async () => {
    daemon = await world({});
    expect(await run(['run', '--rm', 'busybox'], daemon.host)).toMatchObject({ code: 0 });
    expect(daemon.order).toContain('wait removed');
  });

  it('passes standard input on, and its end, with -i', async () => {
    daemon = await world({ echo: true, exitCode: 5 });
    const text = `${'line of input\n'.repeat(20_000)}`;
    const result = await run(['run', '-i', 'busybox', 'cat'], daemon.host, { stdin: text });
    expect(result.code).toBe(5);
    expect(result.stdout).toBe(text);
    expect(daemon.order[0]).toBe('attach stdin+stdout+stderr');
  });

  it('survives frames cut anywhere', async () => {
    const whole = Buffer.concat([frame(1, 'one '), frame(2, 'two '), frame(1, ''), frame(1, 'three')]);
    const pieces = Array.from(whole, (_, at) => whole.subarray(at, at + 1));
    daemon = await world({ output: pieces });
    expect(await run(['run', 'busybox'], daemon.host)).toMatchObject({ stdout: 'one three', stderr: 'WARNING: low on luck\ntwo ' });
  });

  it('prints the id and does not wait with -d', async () => {
    daemon = await world({});
    expect(await run(['run', '-d', 'busybox'], daemon.host)).toMatchObject({ code: 0, stdout: `${containerId}\n` });
    expect(daemon.order).toContain('start');
    expect(daemon.order.join()).not.toContain('attach');
  });

  it('pulls a missing image, showing progress on standard error', async () => {
    daemon = await world({ missingImage: true });
    const result = await run(['run', '-d', 'busybox'], daemon.host);
    expect(result).toMatchObject({ code: 0, stdout: `${containerId}\n` });
    expect(result.stderr).toBe("Unable to find image 'busybox:latest' locally\nlatest: Pulling from library/busybox\naaa: Pull complete\nStatus: Downloaded newer image for busybox:latest\nWARNING: low on luck\n");
    expect(daemon.order[0]).toMatch(/^pull (docker\.io\/library\/)?busybox:latest$/);
  });

  it('does not pull with --pull never', async () => {
    daemon = await world({ missingImage: true });
    const result = await run(['run', '--pull', 'never', 'busybox'], daemon.host);
    expect(result).toMatchObject({ code: 125, stderr: "docker: Error response from daemon: No such image: busybox:latest\n\nRun 'docker run --help' for more information\n" });
  });

  it.each([
    ['failed to create task for container: exec: "nope": executable file not found in $PATH: unknown', 127],
    ['OCI runtime create failed: exec: "/etc": permission denied: unknown', 126],
    ['OCI runtime create failed: exec: "/etc": is a directory: unknown', 126],
    ['driver failed programming external connectivity: port is already allocated', 125],
  ])('a container that cannot start: %s → %d', async (message, code) => {
    daemon = await world({ startError: { status: 500, message } });
    const result = await run(['run', '--rm', 'busybox', 'nope'], daemon.host);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(`docker: Error response from daemon: ${message}`);
  });

  it('exec gives output and exit status of the command', async () => {
    daemon = await world({ output: [frame(1, 'hi\n'), frame(2, 'oh\n')], exitCode: 42 });
    expect(await run(['exec', '-e', 'A=1', '-w', '/tmp', '-u', 'nobody', 'web', 'sh', '-c', 'exit 42'], daemon.host)).toMatchObject({ code: 42, stdout: 'hi\n', stderr: 'oh\n' });
    const created = JSON.parse(daemon.seen.find(({ path }) => path.endsWith('/exec'))?.body.toString() ?? '{}') as Record<string, unknown>;
    expect(created).toMatchObject({ Env: ['A=1'], WorkingDir: '/tmp', User: 'nobody', Cmd: ['sh', '-c', 'exit 42'], AttachStdout: true });
  });

  it('exec -i passes standard input on', async () => {
    daemon = await world({ echo: true });
    expect(await run(['exec', '-i', 'web', 'cat'], daemon.host, { stdin: 'through\n' })).toMatchObject({ code: 0, stdout: 'through\n' });
  });

  it('exec -d returns at once', async () => {
    daemon = await world({ exitCode: 9 });
    expect(await run(['exec', '-d', 'web', 'sleep'], daemon.host)).toMatchObject({ code: 0, stdout: '' });
  });

  it('logs keeps the streams apart', async () => {
    daemon = await world({}, { routes: { 'GET /containers/[^/]+/logs': () => ({ stream: (response) => response.end(Buffer.concat([frame(1, 'a\n'), frame(2, 'b\n')])) }) } });
    expect(await run(['logs', '--tail', '5', 'web'], daemon.host)).toMatchObject({ code: 0, stdout: 'a\n', stderr: 'b\n' });
    expect(daemon.seen.find(({ path }) => path.endsWith('/logs'))?.query.get('tail')).toBe('5');
  });

  it('wait prints the exit status', async () => {
    daemon = await world({}, { routes: { 'POST /containers/[^/]+/wait': () => ({ json: { StatusCode: 7 } }) } });
    expect(await run(['wait', 'web'], daemon.host)).toMatchObject({ code: 0, stdout: '7\n' });
  });

  it('start -a attaches to an existing container', async () => {
    daemon = await world({ output: [frame(1, 'again\n')], exitCode: 4 });
    expect(await run(['start', '-a', 'web'], daemon.host)).toMatchObject({ code: 4, stdout: 'again\n' });
  });

  it('load streams an archive from standard input', async () => {
    daemon = await world({}, { routes: { 'POST /images/load': ({ body }) => ({ headers: { 'Content-Type': 'application/json' }, text: `{"stream":"Loaded image: x:1 (${body.length} bytes)\\n"}\n` }) } });
    const archive = 'x'.repeat(300_000);
    expect(await run(['load'], daemon.host, { stdin: archive })).toMatchObject({ code: 0, stdout: 'Loaded image: x:1 (300000 bytes)\n' });
  });

  it('shows an error in the middle of a pull', async () => {
    daemon = await world({}, { routes: { 'POST /images/create': () => ({ text: '{"status":"Pulling","id":"latest"}\n{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}\n' }) } });
    const result = await run(['pull', '-q', 'busybox'], daemon.host);
    expect(result).toMatchObject({ code: 1, stderr: 'no space left on device\n' });
  });
});
