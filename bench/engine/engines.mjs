// The engines that are compared: how each is started on folders of its own, and how its client is called.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const IMAGE = 'localhost/bench:1';

/** minke with its own client, and with the one that Docker's engine is called with as well. */
export function enginesOf(minke) {
  const dockerCall = (folder) => ['docker', '-H', `unix://${folder}/socket`];
  const minkeDaemon = (folder) => [minke, 'daemon', '-H', `unix://${folder}/socket`, '--data-root', `${folder}/data`, '--exec-root', `${folder}/run`, '--pidfile', '', '--config-file', `${folder}/daemon.json`];
  const podmanCall = (folder) => ['podman', '--root', `${folder}/data`, '--runroot', `${folder}/run`, '--tmpdir', `${folder}/tmp`, '--storage-driver', 'overlay', '--cgroup-manager', 'cgroupfs', '--runtime', 'crun', '--events-backend', 'file', '--network-config-dir', `${folder}/networks`];
  return {
    minke: { daemon: minkeDaemon, call: (folder) => [minke, '-H', `unix://${folder}/socket`], otherCalls: { 'minke, by docker’s client': dockerCall }, programs: [minke, 'crun', 'conmon', 'nft'], own: [minke] },
    docker: {
      daemon: (folder) => ['dockerd', '-H', `unix://${folder}/socket`, '--data-root', `${folder}/data`, '--exec-root', `${folder}/run`, '--pidfile', `${folder}/pid`, '--config-file', `${folder}/daemon.json`, '--storage-driver', 'overlay2', '--exec-opt', 'native.cgroupdriver=cgroupfs', '--bip', '10.115.0.1/16'],
      call: dockerCall, programs: ['dockerd', 'docker-proxy', 'docker-init', 'containerd', 'containerd-shim-runc-v2', 'runc', 'docker'], own: ['dockerd', 'docker-proxy', 'containerd', 'containerd-shim-runc-v2', 'docker'],
    },
    // The service is for what goes over the API; the client needs none.
    podman: { daemon: (folder) => [...podmanCall(folder), 'system', 'service', '--time=0', `unix://${folder}/socket`], call: podmanCall, runOptions: ['--log-driver', 'k8s-file'], programs: ['podman', 'crun', 'conmon', 'netavark', 'aardvark-dns'], own: ['podman'], clientAlone: true },
  };
}

export function run(argv, options = {}) {
  const result = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr || result.error || result.status}`);
  return result.stdout.trim();
}

/** Resolves with the milliseconds that a program took; a failure is an error. */
export function timed(argv, options = {}) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], ...options });
    let said = '';
    child.stderr?.on('data', (part) => (said += part));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(performance.now() - start) : reject(new Error(`${argv.join(' ')} → ${code}: ${said}`))));
  });
}

/** A daemon with the image in it. `rootfs` is a tar of the image's files. */
export async function startEngine(name, engine, folder, rootfs) {
  for (const part of ['data', 'run', 'tmp', 'networks']) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'daemon.json'), '{}');
  const log = openSync(join(folder, 'log'), 'a');
  const [program, ...args] = engine.daemon(folder);
  const daemon = spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, HOME: folder, DOCKER_CONFIG: folder } });
  const socket = join(folder, 'socket');
  for (let tries = 0; spawnSync('curl', ['-sf', '--unix-socket', socket, 'http://x/_ping']).status !== 0; tries += 1) {
    if (tries > 300 || daemon.exitCode !== null) throw new Error(`${name} does not start: ${readFileSync(join(folder, 'log'), 'utf8').slice(-1500)}`);
    await sleep(100);
  }
  const call = engine.call(folder);
  run([...call, 'import', rootfs, IMAGE]);
  return {
    name, folder, socket, call, pid: daemon.pid, runOptions: engine.runOptions ?? [], clientAlone: engine.clientAlone === true,
    async stop() {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await Promise.race([ended, sleep(20_000)]);
      daemon.kill('SIGKILL');
    },
  };
}

/** What engines have mounted there goes, then all of it. */
export function removePlace(place) {
  run(['sh', '-c', `for mount in $(grep -o ' ${place}[^ ]*' /proc/self/mounts | sort -r); do umount -l "$mount"; done; rm -rf '${place}'`]);
}
