import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

import type { ImageRequest } from '../../../src/model/index.ts';
import { projectLayer } from '../../../src/providers/yocto/project-layer.ts';
import { missingModules } from '../../../src/providers/yocto/collect.ts';
import { requestFor } from './support.ts';

const text = (request: ImageRequest): string => projectLayer(request, 'scarthgap')['conf/minke-project.inc'] ?? '';

test('recipes\' files, users, units and writable paths are in the generated layer', async () => {
  const { request } = await requestFor('qemuarm64');
  const include = text(request);
  expect(include).toContain('\tminke_put 0755 base/files/usr/lib/minke/apply-config /usr/lib/minke/apply-config\n');
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
