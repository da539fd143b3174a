import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { oldStyleArchive } from '../support/docker-archive.ts';
import { IMAGE, labFile, leftovers, waitFor } from '../support/lab.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

describeLab('the daemon dies', (lab) => {
  const revive = async (...flags: string[]): Promise<void> => {
    await lab.signalDaemon('SIGKILL');
    await lab.startDaemon(...flags);
  };

  it('finds running containers again: logs, exec, ports, stop', async () => {
    const id = lab.ok('run', '-d', '--name', 'survivor', '-p', '18081:80', IMAGE, 'sh', '-c', 'httpd -h /var/www; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done');
    const pid = lab.ok('inspect', '-f', '{{.State.Pid}}', id);
    const address = lab.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', id);
    await lab.signalDaemon('SIGKILL');
    lab.run(['nft', 'flush', 'ruleset']);
    await lab.startDaemon();
    expect(lab.ok('ps', '--format', '{{.Names}} {{.State}} {{.Ports}}')).toBe('survivor running 0.0.0.0:18081->80/tcp');
    expect(lab.ok('inspect', '-f', '{{.State.Pid}} {{.NetworkSettings.IPAddress}}', id)).toBe(`${pid} ${address}`);
    expect(lab.ok('exec', id, 'echo', 'inside')).toBe('inside');
    const before = lab.ok('logs', id).split('\n').length;
    await waitFor(() => lab.ok('logs', id).split('\n').length > before);
    const page = lab.run(['timeout', '5', 'bash', '-c', "exec 3<>/dev/tcp/127.0.0.1/18081; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"]).stdout;
    expect(page).toBe('hello from minke\n');
    // The address is taken: a new container gets another one.
    expect(lab.ok('run', '--rm', IMAGE, 'hostname', '-i')).not.toBe(address);
    lab.ok('stop', '-t', '0', id);
    expect(lab.ok('inspect', '-f', '{{.State.ExitCode}}', id)).toBe('137');
    lab.ok('rm', id);
    expect(leftovers(lab)).toEqual([]);
  });

  it('learns the exit code of what ended meanwhile, and obeys policies and --rm', async () => {
    lab.ok('run', '-d', '--name', 'ended', IMAGE, 'sh', '-c', 'sleep 1; exit 42');
    lab.ok('run', '-d', '--name', 'again', '--restart', 'always', IMAGE, 'sh', '-c', 'sleep 1');
    lab.ok('run', '-d', '--name', 'vanishing', '--rm', IMAGE, 'sleep', '1');
    await lab.signalDaemon('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await lab.startDaemon();
    // At once, unless they have not even ended on a starved machine.
    await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'ended') === 'exited 42');
    await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}}', 'again') === 'running');
    await waitFor(() => lab.docker('inspect', 'vanishing').code === 1);
    lab.ok('rm', '-f', 'ended', 'again');
    expect(leftovers(lab)).toEqual([]);
  });

  it('cleans up when conmon or the container’s process is killed', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sleep', '1000');
    const conmon = readdirSync('/proc').find((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(id) && readFileSync(`/proc/${name}/comm`, 'utf8') === 'conmon\n';
      } catch {
        return false;
      }
    });
    process.kill(Number(conmon), 'SIGKILL');
    await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', id) === 'exited 137');
    lab.ok('start', id);
    process.kill(Number(lab.ok('inspect', '-f', '{{.State.Pid}}', id)), 'SIGKILL');
    await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', id) === 'exited 137');
    lab.ok('rm', id);
    expect(leftovers(lab)).toEqual([]);
  });

  it('is killed at random moments of many starts and ends, and leaves nothing', async () => {
    for (let round = 0; round < 12; round += 1) {
      const runs = Array.from({ length: 4 }, () => lab.dockerAsync('run', '--rm', '-p', '80', IMAGE, 'sleep', '0.1'));
      await new Promise((resolve) => setTimeout(resolve, 30 + round * 37));
      await revive();
      await Promise.all(runs);
      const ids = lab.ok('ps', '-aq').split('\n').filter((line) => line !== '');
      if (ids.length > 0) lab.ok('rm', '-f', ...ids);
      await waitFor(() => leftovers(lab).length === 0);
    }
  }, 180_000);

  it('is killed at random moments of a load, and has the image whole or not at all', async () => {
    const layer = tarOf(Array.from({ length: 4000 }, (_, index) => tarFile(`files/${index}`, `content ${index} `.repeat(50))));
    const archive = labFile(lab, 'image.tar', oldStyleArchive('big:1', [{ tar: rootfsTar() }, { tar: layer }]));
    let cut = 0;
    for (let round = 0; round < 12; round += 1) {
      const loading = lab.dockerAsync('load', '-i', archive);
      await new Promise((resolve) => setTimeout(resolve, 20 + round * 60));
      await lab.signalDaemon('SIGKILL');
      const result = await loading;
      if (result.code !== 0) cut += 1;
      await lab.startDaemon();
      expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
      const known = lab.ok('images', '-q', '--no-trunc').split('\n').filter((line) => line !== '');
      if (lab.docker('inspect', 'big:1').code === 0) {
        expect(lab.ok('run', '--rm', 'big:1', 'sh', '-c', 'ls /files | wc -l; cat /files/3999 | wc -c')).toBe('4000\n650');
        lab.ok('rmi', 'big:1');
      } else {
        // A configuration may have become durable before its name: that image is whole, and can be removed.
        for (const id of known) if (id !== lab.ok('inspect', '-f', '{{.Id}}', IMAGE)) lab.ok('rmi', id);
      }
      // One layer of the busybox image is all that may be left.
      expect(readdirSync(`${lab.dataRoot}/layers`)).toHaveLength(1);
    }
    expect(cut).toBeGreaterThan(0);
    lab.ok('load', '-i', archive);
    expect(lab.ok('run', '--rm', 'big:1', 'sh', '-c', 'ls /files | wc -l')).toBe('4000');
  }, 240_000);

  it('comes back after a reboot with its policies', async () => {
    lab.ok('run', '-d', '--name', 'on-boot', '--restart', 'unless-stopped', IMAGE, 'sleep', '1000');
    lab.ok('run', '-d', '--name', 'stopped-before', '--restart', 'unless-stopped', IMAGE, 'sleep', '1000');
    lab.ok('run', '-d', '--name', 'no-policy', IMAGE, 'sleep', '1000');
    lab.ok('stop', '-t', '0', 'stopped-before');
    await lab.signalDaemon('SIGKILL');
    // What a power cut does: processes, mounts and /run are gone.
    for (const name of readdirSync(`${lab.execRoot}/bundles`)) {
      process.kill(Number(readFileSync(`${lab.execRoot}/bundles/${name}/conmon.pid`, 'utf8')), 'SIGKILL');
      process.kill(Number(readFileSync(`${lab.execRoot}/bundles/${name}/pid`, 'utf8')), 'SIGKILL');
      lab.run(['umount', '-l', `${lab.dataRoot}/containers/${name}/rootfs`]);
    }
    lab.run(['sh', '-c', `rm -rf ${lab.execRoot}; ip link del minke0; nft flush ruleset`]);
    await lab.startDaemon();
    await waitFor(() => lab.ok('inspect', '-f', '{{.State.Status}}', 'on-boot') === 'running');
    expect(lab.ok('inspect', '-f', '{{.State.Status}}', 'stopped-before')).toBe('exited');
    expect(lab.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'no-policy')).toBe('exited 255');
    lab.ok('rm', '-f', 'on-boot', 'stopped-before', 'no-policy');
  });

  it('starts with a damaged store, puts the damage aside, and loses nothing else', async () => {
    const imageId = lab.ok('inspect', '-f', '{{.Id}}', IMAGE);
    const good = lab.ok('create', '--name', 'good', IMAGE, 'echo', 'fine');
    const bad = lab.ok('create', '--name', 'bad', IMAGE, 'true');
    lab.ok('volume', 'create', 'precious');
    lab.run(['sh', '-c', `echo data > ${lab.dataRoot}/volumes/precious/_data/file`]);
    await lab.signalDaemon('SIGKILL');
    lab.run(['sh', '-c', `echo '{"id":' > ${lab.dataRoot}/containers/${bad}/container.json; : > ${lab.dataRoot}/volumes/precious/volume.json; echo '{}x' > ${lab.dataRoot}/images/names.json`]);
    await lab.startDaemon();
    expect(lab.ok('ps', '-a', '--format', '{{.Names}}')).toBe('good');
    expect(lab.ok('start', '-a', good)).toBe('fine');
    lab.ok('tag', imageId, IMAGE);
    expect(lab.ok('run', '--rm', '-v', 'precious:/p', IMAGE, 'cat', '/p/file')).toBe('data');
    expect(readdirSync(`${lab.dataRoot}/damaged`).sort()).toEqual([bad, 'names.json'].sort());
    lab.ok('rm', good);
    lab.ok('volume', 'rm', 'precious');
  });

  it('refuses a second daemon on the same data, and says why', async () => {
    const second = lab.run([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'daemon', '-H', `unix://${lab.folder}/other.sock`, '--data-root', lab.dataRoot, '--exec-root', `${lab.folder}/other`, '--pidfile', '']);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`another daemon uses ${lab.dataRoot}`);
    expect(lab.ok('version', '-f', '{{.Server.Os}}')).toBe('linux');
  });

  it('leaves containers running on SIGTERM, or stops them when told to', async () => {
    lab.ok('run', '-d', '--name', 'kept', IMAGE, 'sleep', '1000');
    expect(await lab.signalDaemon('SIGTERM')).toBe(0);
    await lab.startDaemon('--live-restore=false', '--shutdown-timeout', '1');
    expect(lab.ok('inspect', '-f', '{{.State.Status}}', 'kept')).toBe('running');
    expect(await lab.signalDaemon('SIGTERM')).toBe(0);
    await lab.startDaemon();
    expect(lab.ok('inspect', '-f', '{{.State.Status}}', 'kept')).toBe('exited');
    lab.ok('rm', 'kept');
  });

  it('ends containers when systemd takes the whole system down, each as it wants, and brings them back', async () => {
    const state = `${lab.folder}/shutdown.target`;
    mkdirSync(`${lab.folder}/bin`);
    writeFileSync(`${lab.folder}/bin/systemctl`, `#!/bin/sh\n[ "$*" = "show --property=Job,ActiveState shutdown.target" ] && cat ${state}\n`, { mode: 0o755 });
    const restarted = async (shutdownTarget: string): Promise<void> => {
      writeFileSync(state, shutdownTarget);
      expect(await lab.signalDaemon('SIGTERM')).toBe(0);
      await lab.startDaemon();
    };
    const told = `${lab.dataRoot}/volumes/told/_data/told`;
    const status = (name: string): string => lab.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name);
    Object.assign(lab.daemonEnv, { INVOCATION_ID: '0', PATH: `${lab.folder}/bin:${process.env['PATH']}` });
    await restarted('Job=0\nActiveState=inactive\n');
    try {
      const script = 'trap "sleep 1; echo told >/told/told; exit 0" USR1; while :; do sleep 0.2; done';
      lab.ok('run', '-d', '--name', 'asked', '--restart', 'on-failure', '--stop-signal', 'USR1', '-v', 'told:/told', IMAGE, 'sh', '-c', script);
      lab.ok('run', '-d', '--name', 'deaf', '--restart', 'unless-stopped', '--stop-timeout', '1', IMAGE, 'sleep', '1000');
      lab.ok('run', '-d', '--name', 'once', '--stop-timeout', '1', IMAGE, 'sleep', '1000');
      lab.ok('run', '-d', '--name', 'stopped', '--restart', 'unless-stopped', IMAGE, 'sleep', '1000');
      lab.ok('stop', '-t', '0', 'stopped');
      const pid = lab.ok('inspect', '-f', '{{.State.Pid}}', 'deaf');

      await restarted('Job=0\nActiveState=inactive\n');
      expect([lab.ok('inspect', '-f', '{{.State.Pid}}', 'deaf'), existsSync(told)]).toEqual([pid, false]);

      await restarted('Job=512\nActiveState=inactive\n');
      expect(readFileSync(told, 'utf8')).toBe('told\n');
      expect(['once', 'stopped'].map(status)).toEqual(['exited 137', 'exited 137']);
      await waitFor(() => ['asked', 'deaf'].every((name) => status(name) === 'running 0'), 10_000);
      expect(lab.ok('inspect', '-f', '{{.State.Pid}}', 'deaf')).not.toBe(pid);
    } finally {
      for (const name of Object.keys(lab.daemonEnv)) delete lab.daemonEnv[name];
      lab.ok('rm', '-f', '-v', 'asked', 'deaf', 'once', 'stopped');
      lab.ok('volume', 'rm', 'told');
      await lab.signalDaemon('SIGTERM');
      await lab.startDaemon();
    }
  });

  it('goes on after malformed requests', async () => {
    const send = (data: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = createConnection(lab.socket);
        let answer = '';
        socket.on('data', (part) => (answer += part.toString()));
        socket.on('close', () => resolve(answer));
        socket.on('error', () => resolve(answer));
        socket.write(data);
        setTimeout(() => socket.end(), 300);
      });
    expect(await send('rubbish\r\n\r\n')).toContain('400 Bad Request');
    expect(await send('GET / HTTP/3.0\r\nHost: x\r\n\r\n')).toContain('505');
    expect(await send(`GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).toContain('431');
    expect(await send('POST /v1.47/containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n')).toContain('400');
    expect(await send('POST /v1.47/containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')).toContain('400');
    expect(await send('POST /v1.47/containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"Image":')).toContain('invalid JSON');
    expect(await send('POST /v1.47/containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{"Image": 3}')).toContain('config.Image must be a string');
    expect(await send('GET /v9.99/info HTTP/1.1\r\nHost: x\r\n\r\n')).toContain('too new');
    expect(await send('PATCH /v1.47/info HTTP/1.1\r\nHost: x\r\n\r\n')).toContain('405');
    expect(await send('POST /v1.47/images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n\r\n' + 'x'.repeat(1024))).toContain('not a tar archive');
    expect(await send('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/OK[^]*OK/);
    expect(lab.ok('version', '-f', '{{.Server.Os}}')).toBe('linux');
  });
});
