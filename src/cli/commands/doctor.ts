import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

import { run, sandboxCommand } from '../../exec/index.ts';
import { bytesText } from '../../report/index.ts';
import type { Command, Invocation } from '../command.ts';

interface Finding {
  name: string;
  outcome: 'ok' | 'missing' | 'optional';
  detail: string;
  hint?: string;
}

/** Programs of the host that a build starts, and the Debian package that has each. */
const programs: Record<string, string> = {
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  gpgv: 'gpgv',
  unshare: 'util-linux',
  mount: 'mount',
  chroot: 'coreutils',
};

const wantedDiskBytes = 8e9;
const wantedMemoryBytes = 2e9;

export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary: 'Say what this host lacks for building and testing images',
  options: {},
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const findings = [platform(), ...(await hostPrograms(invocation)), await namespaces(invocation), await disk(invocation), memory(), await pty()];
    for (const finding of findings) {
      if (invocation.flags.on('json')) invocation.out(`${JSON.stringify(finding)}\n`);
      else {
        const mark = { ok: '✔', missing: '✖', optional: '–' }[finding.outcome];
        invocation.out(`${mark} ${finding.name}: ${finding.detail}${finding.hint && finding.outcome !== 'ok' ? `\n    hint: ${finding.hint}` : ''}\n`);
      }
    }
    return findings.some((finding) => finding.outcome === 'missing') ? 1 : 0;
  },
};

function platform(): Finding {
  const fits = process.platform === 'linux' && process.arch === 'x64';
  return {
    name: 'platform',
    outcome: fits ? 'ok' : 'missing',
    detail: `${process.platform} ${process.arch}, Node.js ${process.versions.node}`,
    hint: 'images are built on Linux on x86-64: the tools trees are made for it',
  };
}

async function hostPrograms({ hostEnvironment }: Invocation): Promise<Finding[]> {
  const folders = (hostEnvironment['PATH'] ?? '').split(delimiter);
  return Promise.all(
    Object.entries(programs).map(async ([program, aptPackage]): Promise<Finding> => {
      for (const folder of folders) {
        const path = join(folder, program);
        if (await access(path, constants.X_OK).then(() => true, () => false)) return { name: program, outcome: 'ok', detail: path };
      }
      return { name: program, outcome: 'missing', detail: 'not found', hint: `apt install ${aptPackage}` };
    }),
  );
}

/** Really enters what every sandbox enters: kernels, containers and policies forbid it in too many ways to guess. */
async function namespaces({ layout, hostEnvironment, signal }: Invocation): Promise<Finding> {
  const name = 'user namespaces';
  await mkdir(layout.work(), { recursive: true });
  const folder = await mkdtemp(join(layout.work(), 'doctor-'));
  try {
    const script = join(folder, 'script.sh');
    await writeFile(script, `mount -t tmpfs probe ${folder} && id -u\n`);
    await run(sandboxCommand(script, false), { env: hostEnvironment, signal, log: () => undefined });
    return { name, outcome: 'ok', detail: 'sandboxes can be entered' };
  } catch (error) {
    return {
      name,
      outcome: 'missing',
      detail: (error as Error).message,
      hint: 'as root: sysctl kernel.unprivileged_userns_clone=1 (Debian), sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu ≥ 23.10); in a container: --security-opt seccomp=unconfined, or --privileged',
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function disk({ layout }: Invocation): Promise<Finding> {
  await mkdir(layout.root, { recursive: true });
  const { bavail, bsize } = await statfs(layout.root);
  const free = bavail * bsize;
  return {
    name: 'disk space',
    outcome: free >= wantedDiskBytes ? 'ok' : 'missing',
    detail: `${bytesText(free)} free for ${layout.root}`,
    hint: `a build with its tools needs some ${bytesText(wantedDiskBytes)}; \`osbuild cache prune --keep 10GB\` frees what was used longest ago, OSBUILD_CACHE_DIR moves the cache`,
  };
}

function memory(): Finding {
  const total = totalmem();
  return { name: 'memory', outcome: total >= wantedMemoryBytes ? 'ok' : 'missing', detail: bytesText(total), hint: `${bytesText(wantedMemoryBytes)} at least` };
}

async function pty(): Promise<Finding> {
  const loaded = await import('node-pty').then(() => true, () => false);
  return {
    name: 'node-pty',
    outcome: loaded ? 'ok' : 'optional',
    detail: loaded ? 'there' : 'not built; `osbuild run` uses the plain terminal',
    hint: 'apt install python3 make g++, then npm rebuild node-pty',
  };
}
