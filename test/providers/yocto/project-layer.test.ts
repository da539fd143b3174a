import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import type { ImageRequest } from '../../../src/model/index.ts';
import { projectLayer } from '../../../src/providers/yocto/project-layer.ts';
import { missingModules } from '../../../src/providers/yocto/collect.ts';
import { requestFor } from './support.ts';

const text = (request: ImageRequest): string => projectLayer(request, 'scarthgap')['conf/minke-project.inc'] ?? '';

test('recipes\' files, users, units and writable paths are in the generated layer', async () => {
  const { request } = await requestFor('qemuarm64');
  const include = text(request);
  expect(include).toContain('\tminke_put 0755 base/files/usr/lib/minke/clock /usr/lib/minke/clock\n');
  expect(include).toContain('\tminke_link minke /usr/bin/docker\n');
  expect(include).toContain('useradd --system --user-group --no-create-home --home-dir /var/lib/chrony --shell /usr/sbin/nologin _chrony;');
  expect(include).toContain("'enable minke.service'");
  expect(include).toContain('\tminke_state /var/lib/chrony 0750 _chrony:_chrony state\n');
  expect(text({ ...request, mode: 'production' })).not.toContain('files.development');
  expect(projectLayer(request, 'scarthgap')['conf/layer.conf']).toContain('MINKE_ENGINE_DIR = "${LAYERDIR}/engine"');
});

test('its functions are shell that a shell reads', async () => {
  const { request } = await requestFor('raspberrypi3');
  const functions = text(request).replace(/^[\s\S]*?(?=^minke_put)/m, '');
  execFileSync('sh', ['-n'], { input: functions });
});

test('run by a shell they put files, links and presets into a root, and miss the units that packages bring', async () => {
  const { request } = await requestFor('qemuarm64');
  const work = mkdtempSync(join(tmpdir(), 'osbuild-project-layer-'));
  onTestFinished(() => rmSync(work, { recursive: true, force: true }));
  const root = join(work, 'root');
  for (const { name, folder, files } of request.recipes) {
    for (const { path } of files.filter((file) => /^files[./]/.test(file.path))) {
      const place = join(work, 'layer/files', name, path);
      mkdirSync(dirname(place), { recursive: true });
      cpSync(join(folder, path), place, { verbatimSymlinks: true });
    }
  }
  const functions = text(request).replace(/^[\s\S]*?(?=^minke_put)/m, '');
  const run = (what: string): { status: number | null; stderr: string } =>
    spawnSync('sh', ['-eu'], { input: `bbfatal() { echo "$*" >&2; exit 1; }\n${functions}\n${what}\n`, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', IMAGE_ROOTFS: root, MINKE_PROJECT_DIR: join(work, 'layer') } });
  expect(run('minke_project_files')).toMatchObject({ status: 0 });
  const missing: string[] = [];
  for (let last = run('minke_project_units'); last.status !== 0; last = run('minke_project_units')) {
    const [, unit] = /^the recipes enable (\S+), which is not in the image$/m.exec(last.stderr) ?? [];
    if (unit === undefined || missing.includes(unit)) throw new Error(last.stderr);
    missing.push(unit);
    writeFileSync(join(root, 'usr/lib/systemd/system', unit), '');
  }
  expect(missing).toEqual(expect.arrayContaining(['NetworkManager.service', 'avahi-daemon.socket', 'chrony.service', 'fstrim.timer']));
  // Of recipes' own files, and of the template that getty@tty1.service is one of.
  expect(missing).not.toContain('minke.service');
  expect(missing.filter((unit) => unit.includes('getty'))).toEqual(['getty@.service']);
  expect(readFileSync(join(root, 'etc/chrony/chrony.conf'), 'utf8')).toContain('makestep 1 -1');
  expect(readlinkSync(join(root, 'usr/bin/docker'))).toBe('minke');
  expect(readFileSync(join(root, 'usr/lib/systemd/system-preset/00-minke.preset'), 'utf8')).toMatch(/^enable chrony\.service$[\s\S]*^disable \*$/m);
});

test('what bitbake would expand in a word is kept from it, and the shell sees it whole', async () => {
  const { request } = await requestFor('qemuarm64');
  const target = "/a ${B} it's";
  const [first, ...rest] = request.recipes;
  if (first === undefined) throw new Error('no recipes');
  const line = text({ ...request, recipes: [{ ...first, recipe: { ...first.recipe, links: { '/l': target } } }, ...rest] }).split('\n').find((candidate) => candidate.endsWith(' /l')) ?? '';
  expect(line).not.toContain('${B}');
  expect(execFileSync('sh', ['-c', line.replace('minke_link', 'printf %s,%s')], { encoding: 'utf8' })).toBe(`${target},/l`);
});

test('modules are there as files, compressed or not, or built in', () => {
  expect(missingModules(['usr/lib/modules/6/kernel/net/tun.ko', 'usr/lib/modules/6/kernel/x/snd-usb-audio.ko.xz'], 'kernel/fs/ext4/ext4.ko\n', ['tun', 'snd_usb_audio', 'ext4', 'cdc-acm'])).toEqual(['cdc-acm']);
});
