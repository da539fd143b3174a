import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import Docker from 'dockerode';
import { beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import { IMAGE } from '../support/lab.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

describeLab('dockerode', (lab) => {
  let docker: Docker;
  beforeAll(() => {
    docker = new Docker({ socketPath: lab.socket });
  });

  const output = async (stream: Readable): Promise<{ out: string; err: string }> => {
    const [out, err] = [new PassThrough(), new PassThrough()];
    docker.modem.demuxStream(stream, out, err);
    stream.once('end', () => {
      out.end();
      err.end();
    });
    return { out: await text(out), err: await text(err) };
  };
  const progress = (stream: Readable): Promise<Record<string, unknown>[]> =>
    new Promise((resolve, reject) => docker.modem.followProgress(stream, (error, list) => (error === null ? resolve(list) : reject(error))));

  it('creates, attaches to both directions, starts, waits, reads logs, and removes', async () => {
    const container = await docker.createContainer({ Image: IMAGE, name: 'both', Cmd: ['sh', '-c', 'read line; echo "got $line"; echo oh >&2; exit 3'], OpenStdin: true, StdinOnce: true, Labels: { a: 'b' } });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const said = output(stream);
    await container.start();
    stream.write('a line\n');
    expect(await container.wait()).toMatchObject({ StatusCode: 3 });
    expect(await said).toEqual({ out: 'got a line\n', err: 'oh\n' });
    expect(await output(Readable.from([await container.logs({ stdout: true, stderr: true })]))).toEqual({ out: 'got a line\n', err: 'oh\n' });
    expect(await container.inspect()).toMatchObject({ Name: '/both', State: { Status: 'exited', ExitCode: 3 }, Config: { Labels: { a: 'b' } } });
    expect(await docker.listContainers({ all: true, filters: { label: ['a=b'] } })).toMatchObject([{ Id: container.id }]);
    await container.remove();
    await expect(docker.getContainer(container.id).inspect()).rejects.toMatchObject({ statusCode: 404, json: { message: `No such container: ${container.id}` } });
  });

  it('runs processes in a container, with and without a terminal', async () => {
    const container = await docker.createContainer({ Image: IMAGE, Cmd: ['sleep', '100'] });
    await container.start();
    const plain = await container.exec({ Cmd: ['sh', '-c', 'cat; exit 4'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    const stream = await plain.start({ hijack: true, stdin: true });
    const said = output(stream);
    stream.end('through cat\n');
    expect(await said).toEqual({ out: 'through cat\n', err: '' });
    expect(await plain.inspect()).toMatchObject({ Running: false, ExitCode: 4 });
    const terminal = await container.exec({ Cmd: ['tty'], AttachStdout: true, Tty: true });
    expect(await text(await terminal.start({ hijack: true, Tty: true }))).toBe('/dev/pts/0\r\n');
    expect((await container.stats({ stream: false })).memory_stats.usage).toBeGreaterThan(0);
    await container.remove({ force: true });
  });

  it('runs, builds, pulls, and is told of it by events', async () => {
    const registry = await serveRegistry(lab, 5055);
    try {
      const since = Math.floor(Date.now() / 1000) - 1;
      const out = new PassThrough();
      const said = text(out);
      const [result, container] = await docker.run(IMAGE, ['echo', 'ran'], out);
      out.end();
      expect(result).toEqual({ StatusCode: 0 });
      // dockerode's run has a terminal unless told otherwise, or frames; either way the words are there.
      expect(await said).toContain('ran');
      await container.remove();

      const context = gzipSync(tarOf([tarFile('Dockerfile', `FROM ${IMAGE}\nRUN echo built > /made\nCMD ["cat", "/made"]\n`)]));
      const built = await progress(await docker.buildImage(Readable.from([context]), { t: 'made:1' }));
      expect(built.map(({ stream }) => stream)).toContain('Successfully tagged made:1\n');
      expect((await docker.getImage('made:1').inspect()).Config.Cmd).toEqual(['cat', '/made']);

      registry.putImage('some/thing', '1', [{ tar: rootfsTar() }]);
      const pulled = await progress(await docker.pull('127.0.0.1:5055/some/thing:1'));
      expect(pulled.at(-1)).toMatchObject({ status: 'Status: Downloaded newer image for 127.0.0.1:5055/some/thing:1' });

      const events = await text(await docker.getEvents({ filters: { type: ['container', 'image'] }, since, until: Math.ceil(Date.now() / 1000) }));
      const actions = events.trim().split('\n').map((line) => JSON.parse(line) as { Type: string; Action: string }).map(({ Type, Action }) => `${Type} ${Action}`);
      for (const action of ['container create', 'container start', 'container die', 'container destroy', 'image tag', 'image pull']) expect(actions).toContain(action);
      await expect(docker.pull('127.0.0.1:5055/some/other:1')).rejects.toMatchObject({ statusCode: 404 });
    } finally {
      await registry.close();
    }
  });
});
