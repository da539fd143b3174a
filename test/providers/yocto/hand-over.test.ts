import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';

import { BlobStore, CacheLayout, ResultStore } from '../../../src/cache/index.ts';
import { loadProject } from '../../../src/config/index.ts';
import { needYocto, bitbake, core, needBitbake } from './checkouts.ts';
import { probeSettings, writeProbeLayer } from './probe-layer.ts';
import { home } from './support.ts';
import { wholeRun, wholeRunReason } from '../../support/need.ts';

// Real bitbake deploys what the Debian provider has made: the same files through another provider must give the same image,
// byte by byte. That holds the seam between providers and image steps from both sides, with a kernel that boots.
const machineName = process.env['OSBUILD_HAND_OVER_MACHINE'] ?? 'raspberrypi3-64';
const minutes = 60_000;
const layout = new CacheLayout(process.env['OSBUILD_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'osbuild'));

let work: string;
beforeEach((context) => {
  needBitbake(context);
  needYocto(context, wholeRun, wholeRunReason);
  work = mkdtempSync(join(tmpdir(), 'osbuild-hand-over-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

async function osbuild(...args: string[]): Promise<string> {
  const { exitCode, stdout, all } = await execa(join(home, 'osbuild'), args, { reject: false, all: true });
  expect(exitCode, all).toBe(0);
  return stdout;
}

function project(name: string, text: Record<string, unknown>): string {
  const folder = join(work, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'build.config.yaml'), stringify({ base: 'osbuild', ...text }));
  return folder;
}

const disk = (folder: string): string => {
  const artifacts = JSON.parse(readFileSync(join(folder, '.artifacts.json'), 'utf8')) as Record<string, { sha256: string }>;
  const image = Object.entries(artifacts).find(([name]) => name.endsWith('.img.zst'));
  if (image === undefined) throw new Error(`no image among ${Object.keys(artifacts).join(', ')}`);
  return image[1].sha256;
};

/** Paths of what one task of a project's build has made, by output. */
async function outputs(folder: string, step: string): Promise<(output: string) => string> {
  const blobs = new BlobStore(layout);
  const rows = (await osbuild('graph', '--json', '--machine', machineName, '-C', folder)).split('\n').filter(Boolean).map((line) => JSON.parse(line) as { id: string; key: string });
  const row = rows.find(({ id }) => id === `debian/${machineName}/${step}`);
  const result = row === undefined ? null : await new ResultStore(layout, blobs).get(row.key);
  return (output) => {
    const blob = result?.files[output];
    if (blob === undefined) throw new Error(`debian/${machineName}/${step} made no ${output}`);
    return blobs.path(blob.sha256);
  };
}

test(`${machineName}: what bitbake deploys becomes the image that the same files become without it`, { timeout: 60 * minutes }, async () => {
  const debian = project('debian', { provider: 'debian' });
  await osbuild('image', '--machine', machineName, '-C', debian);
  const deployed = join(work, 'deployed');
  const put = (name: string, from: string): void => {
    mkdirSync(dirname(join(deployed, name)), { recursive: true });
    copyFileSync(from, join(deployed, name));
  };
  const yocto = (await loadProject(home, home)).machines.get(machineName)?.machine.yocto;
  if (yocto === undefined) throw new Error(`${machineName} has no yocto part`);
  const [root, kernel, bootLoader, initrd] = await Promise.all(['root', 'kernel', 'boot-loader', 'initrd-files'].map((step) => outputs(debian, step)));
  if (root === undefined || kernel === undefined || bootLoader === undefined || initrd === undefined) throw new Error('four steps');
  put(`probe-image-${yocto.machine}.tar`, root('rootfs.tar'));
  put(`probe-image-${yocto.machine}.modules`, kernel('modules.tar'));
  put(`probe-initrd-${yocto.machine}.tar`, initrd('files.tar'));
  put(yocto.kernel, kernel('vmlinuz'));
  writeFileSync(join(deployed, `probe-image-${yocto.machine}.manifest`), 'busybox armv8a 1.36.1\nprobe noarch 1.0\n');
  for (const [tar, files] of [[kernel('device-trees.tar'), yocto.deviceTrees ?? {}], [bootLoader('boot-loader.tar'), yocto.bootLoader ?? {}]] as const) {
    for (const [path, name] of Object.entries(files)) {
      mkdirSync(dirname(join(deployed, name)), { recursive: true });
      writeFileSync(join(deployed, name), execFileSync('tar', ['-xOf', tar, '--', path], { maxBuffer: 1 << 28 }));
    }
  }

  const layer = writeProbeLayer(join(work, 'meta-probe'), {
    'probe-image_1.0': 'PROVIDES += "probe-initrd virtual/kernel virtual/bootloader rpi-bootfiles systemd-boot"\ndo_deploy() {\n\tcp -r ${PROBE_DEPLOYED}/. ${DEPLOYDIR}\n}\n',
  });
  // The probe layer stands in for the machine's BSP layer, whose MACHINE it has to know.
  const [place = 'meta-probe'] = yocto.layers ?? [];
  if (!existsSync(join(core, 'meta/conf/machine', `${yocto.machine}.conf`))) {
    mkdirSync(join(layer, 'conf/machine'), { recursive: true });
    writeFileSync(join(layer, 'conf/machine', `${yocto.machine}.conf`), 'require conf/machine/qemuarm64.conf\n');
  }
  const yoctoProject = project('yocto', {
    provider: 'yocto',
    yocto: {
      image: 'probe-image',
      initrdImage: 'probe-initrd',
      layers: { bitbake: { path: bitbake }, 'openembedded-core': { path: core, folders: ['meta'] }, [place]: { path: layer } },
      use: [place],
      settings: {
        ...probeSettings,
        PROBE_DEPLOYED: deployed,
        'PREFERRED_PROVIDER_virtual/kernel:forcevariable': 'probe-image',
        'PREFERRED_PROVIDER_virtual/bootloader:forcevariable': 'probe-image',
      },
    },
  });
  await osbuild('image', '--machine', machineName, '-C', yoctoProject);
  expect(disk(join(yoctoProject, 'out', machineName))).toBe(disk(join(debian, 'out', machineName)));
  // What differs is what the image says of where it comes from: names and versions are bitbake's.
  const manifest = JSON.parse(readFileSync(join(yoctoProject, 'out', machineName, 'manifest.json'), 'utf8')) as { packages?: Array<{ name: string; version: string }> };
  expect(manifest.packages).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'busybox', version: '1.36.1' })]));
});
