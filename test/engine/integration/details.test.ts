import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labFile, leftovers, waitFor } from '../support/lab.ts';

describeLab('details that clients rely on', (lab) => {
  it('reports what a container added, changed and removed, and nothing else', () => {
    expect(lab.ok('run', '--name', 'changed', IMAGE, 'sh', '-c', 'mkdir -p /new/deep && echo x > /new/deep/file && echo y >> /etc/group && rm /data/seed && chmod 700 /root && touch -d @0 /bin/busybox')).toBe('');
    expect(lab.ok('diff', 'changed').split('\n')).toEqual(['C /bin', 'C /bin/busybox', 'C /data', 'D /data/seed', 'C /etc', 'C /etc/group', 'A /new', 'A /new/deep', 'A /new/deep/file', 'C /root']);
    lab.ok('create', '--name', 'untouched', IMAGE, 'true');
    expect(lab.ok('diff', 'untouched')).toBe('');
    lab.ok('start', '-a', 'untouched');
    expect(lab.ok('diff', 'untouched')).toBe('');
    // What a lower layer of the image has taken away is new when it comes back.
    lab.ok('commit', 'changed', 'changed:1');
    lab.ok('run', '--name', 'again', 'changed:1', 'sh', '-c', 'echo z > /data/seed; rm -r /new');
    expect(lab.ok('diff', 'again').split('\n')).toEqual(['C /data', 'A /data/seed', 'D /new']);
    lab.ok('rm', 'changed', 'untouched', 'again');
  });

  it('runs an init on demand, which takes orphans, hands signals on and keeps the exit code', () => {
    const orphans = lab.ok('run', '--rm', '--init', IMAGE, 'sh', '-c', "(sh -c 'sleep 0.2 & exec true'); sleep 1; cat /proc/1/comm; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l");
    expect(orphans).toBe('docker-init\n0');
    expect(lab.docker('run', '--rm', '--init', IMAGE, 'sh', '-c', 'exit 9').code).toBe(9);
    expect(lab.docker('run', '--rm', '--init', IMAGE, 'no-such-program')).toMatchObject({ code: 127 });
    const id = lab.ok('run', '-d', '--init', IMAGE, 'sh', '-c', "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.1; done");
    lab.run(['sh', '-c', `until docker logs ${id} | grep -q ready; do sleep 0.1; done`]);
    lab.ok('stop', id);
    expect(lab.ok('inspect', '-f', '{{.State.ExitCode}} {{.HostConfig.Init}}', id)).toBe('3 true');
    expect(lab.ok('logs', id)).toBe('ready\ngot it');
    lab.ok('rm', id);
    expect(lab.run(['script', '-qec', `docker run --rm -it --init ${IMAGE} sh -c 'test -t 0 && echo from $(tty)'`, '/dev/null']).stdout).toContain('from /dev/pts/0');
  });

  it('changes limits of a running container and the policy by which it starts again', () => {
    const id = lab.ok('run', '-d', '-m', '128m', IMAGE, 'sleep', '100');
    lab.ok('update', '-m', '64m', '--pids-limit', '30', '--cpu-shares', '512', '--restart', 'on-failure:4', id);
    expect(lab.ok('inspect', '-f', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}', id)).toBe(`${64 << 20} 30 512 on-failure 4`);
    expect(lab.ok('stats', '--no-stream', '--format', '{{.MemUsage}}', id)).toContain('64MiB');
    expect(lab.docker('update', '-m', '1m', id).stderr).toContain('Minimum memory limit allowed is 6MB');
    lab.ok('rm', '-f', id);
  });

  it('copies into and out of the volumes of a container that does not run', () => {
    const file = labFile(lab, 'payload', 'for the volume\n');
    lab.ok('create', '--name', 'store', '-v', 'goods:/goods', '-v', 'sealed:/sealed:ro', IMAGE, 'true');
    lab.ok('cp', file, 'store:/goods/in');
    lab.ok('cp', file, 'store:/beside');
    expect(lab.ok('run', '--rm', '-v', 'goods:/g', IMAGE, 'cat', '/g/in')).toBe('for the volume');
    lab.ok('cp', 'store:/goods/in', `${lab.folder}/out`);
    expect(readFileSync(`${lab.folder}/out`, 'utf8')).toBe('for the volume\n');
    expect(lab.docker('cp', file, 'store:/sealed/in').stderr).toContain('read-only');
    expect(lab.ok('diff', 'store')).toContain('A /beside');
    expect(leftovers(lab)).toEqual([]);
    lab.ok('rm', 'store');
  });

  it('mounts a part of a volume, and follows no link out of it', () => {
    lab.ok('run', '--rm', '-v', 'parts:/p', IMAGE, 'sh', '-c', 'mkdir -p /p/a/b && echo inner > /p/a/b/file && ln -s / /p/out && echo one > /p/single');
    const mount = (subpath: string): string => `type=volume,src=parts,dst=/m,volume-subpath=${subpath}`;
    expect(lab.ok('run', '--rm', '--mount', mount('a/b'), IMAGE, 'cat', '/m/file')).toBe('inner');
    expect(lab.ok('run', '--rm', '--mount', mount('single'), IMAGE, 'cat', '/m')).toBe('one');
    expect(lab.ok('run', '--rm', '--mount', mount('out'), IMAGE, 'ls', '/m').split('\n').toSorted()).toEqual(['a', 'out', 'single']);
    expect(lab.docker('run', '--rm', '--mount', mount('missing'), IMAGE, 'true').stderr).toContain('the volume has no such path');
    expect(lab.docker('run', '--rm', '--mount', mount('../x'), IMAGE, 'true').code).not.toBe(0);
    expect(leftovers(lab)).toEqual([]);
  });

  it('tells linked containers of each other by variables', () => {
    lab.ok('run', '-d', '--name', 'server', '-e', 'COLOUR=blue', '--expose', '80', IMAGE, 'sleep', '100');
    const address = lab.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'server');
    const variables = lab.ok('run', '--rm', '--name', 'client', '--link', 'server:the-db', IMAGE, 'env').split('\n');
    for (const expected of ['THE_DB_NAME=/client/the-db', `THE_DB_PORT=tcp://${address}:80`, `THE_DB_PORT_80_TCP_ADDR=${address}`, 'THE_DB_ENV_COLOUR=blue']) expect(variables).toContain(expected);
    lab.ok('rm', '-f', 'server');
  });

  it('says of swarm and plugins what an engine outside of them says', () => {
    expect(lab.docker('service', 'ls').stderr).toContain('This node is not a swarm manager');
    expect(lab.docker('swarm', 'init').stderr).toContain('swarm mode is not supported');
    expect(lab.docker('swarm', 'leave').stderr).toContain('This node is not part of a swarm');
    expect(lab.ok('plugin', 'ls', '-q')).toBe('');
  });

  it('attaches browsers by WebSocket, in both directions', async () => {
    const id = lab.ok('run', '-di', IMAGE, 'sh', '-c', 'echo ready; echo aside >&2; read line; echo "got $line"');
    const socket = await new Promise<Duplex>((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
      const call = request({ socketPath: lab.socket, path: `/v1.47/containers/${id}/attach/ws?logs=1&stream=1&stdin=1&stdout=1`, headers });
      call.on('upgrade', (response, stream, first) => {
        stream.unshift(first);
        if (response.headers['sec-websocket-accept'] === 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=') resolve(stream);
        else reject(new Error('another answer'));
      });
      call.on('response', (response) => reject(new Error(`status ${response.statusCode}`))).on('error', reject).end();
    });
    let received = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => (received = Buffer.concat([received, data])));
    await waitFor(() => received.includes('ready\n'));
    // "line\n", masked with zeros.
    socket.write(Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('line\n')]));
    await waitFor(() => received.includes(Buffer.from([0x88, 0x02, 0x03, 0xe8])));
    expect(received.toString('latin1')).toMatch(/^\x82\x06ready\n\x82\x09got line\n\x88\x02/);
    socket.destroy();
    lab.ok('rm', '-f', id);
    const status = await new Promise((resolve, reject) => {
      request({ socketPath: lab.socket, path: '/containers/x/attach/ws' }, (response) => resolve(response.resume().statusCode)).on('error', reject).end();
    });
    expect(status).toBe(400);
  });
});
