// What a device has around its config.json: files in memory, mounts and programs written down.
import type { Processes } from '../../../../src/engine/ports/index.ts';
import type { ConfigSystem } from '../../../../src/engine/os/config/apply.ts';
import { memoryFiles, type Disk } from './fake-device.ts';

const units = ['avahi-daemon.service', 'minke.service', 'dnsmasq.service', 'openvpn.service', 'NetworkManager.service', 'systemd-journald.service'];

export interface ConfigDevice {
  system: ConfigSystem;
  disk: Disk;
  /** What was done, in order: programs with their arguments, mounts, the kernel's host name. */
  done: string[];
  text(path: string): string | undefined;
  /** As after a start: nothing is below /run. */
  restart(): void;
}

export function configDevice({ development = true, power = { changesLeft: Number.POSITIVE_INFINITY, torn: false }, failing = '' } = {}): ConfigDevice {
  const disk: Disk = { files: new Map(), folders: new Set(['/run/systemd', '/mnt/boot']) };
  const done: string[] = [];
  const mounts: string[] = [];
  const put = (path: string, text: string): void => void disk.files.set(path, Buffer.from(text));
  put('/etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  put('/etc/shadow', 'root:*:1:0:99999:7:::\ndaemon:*:1::::::\n');
  put('/etc/ssl/certs/ca-certificates.crt', 'usual\n');
  put('/run/chrony/chronyd.sock', '');
  put('/sys/class/ieee80211/phy0', '');
  put('/sys/firmware/devicetree/base/model', 'board');
  put('/mnt/boot/boot.scr', '');
  for (const unit of units) put(`/usr/lib/systemd/system/${unit}`, '');
  if (development) put('/usr/lib/minke/development', '');
  const inMemory = memoryFiles(disk, power);
  const system = {
    files: {
      ...inMemory,
      readText(path: string, maxBytes = Number.POSITIVE_INFINITY) {
        if (path === '/proc/self/mountinfo') return mounts.map((mount) => `1 1 0:1 / ${mount} rw - tmpfs tmpfs rw\n`).join('');
        const text = inMemory.readText(path);
        if (text.length > maxBytes) throw Object.assign(new Error('EFBIG'), { code: 'EFBIG' });
        return text;
      },
      writeText(path: string, text: string) {
        if (path.startsWith('/proc/')) done.push(`${path} ${text}`);
        else inMemory.writeText(path, text);
      },
      open(path: string, mode: 'append' | 'read') {
        if (!disk.files.has(path)) put(path, '');
        return inMemory.open(path, mode);
      },
      chown: () => undefined,
      chmod: () => undefined,
      rmdir: () => undefined,
      mount: ({ source, target, flags }: { source: string; target: string; flags: readonly string[] }) => void (flags.includes('remount') || (mounts.push(target), done.push(`mount ${source} ${target}`))),
      unmount: (target: string) => void (mounts.splice(mounts.indexOf(target), 1), done.push(`unmount ${target}`)),
    },
    processes: {
      find: (name: string) => `/usr/bin/${name}`,
      spawn({ argv }: { argv: readonly string[] }) {
        const words = [(argv[0] ?? '').replace('/usr/bin/', ''), ...argv.slice(1)].join(' ');
        done.push(words);
        return { pid: 1, streams: [], wait: async () => (failing !== '' && words.includes(failing) ? 1 : 0) };
      },
    } as Partial<Processes>,
    clock: { now: () => 0, monotonicMs: () => 0, after: () => () => undefined },
  } as unknown as ConfigSystem;
  return {
    system, disk, done,
    text: (path) => disk.files.get(path)?.toString('utf8'),
    restart() {
      for (const path of [...disk.files.keys()]) if (path.startsWith('/run/') && !path.startsWith('/run/chrony/')) disk.files.delete(path);
      mounts.length = 0;
      done.length = 0;
    },
  };
}
