import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { findMachine, loadProject } from '../../src/config/index.ts';

const home = new URL('../..', import.meta.url).pathname;
const board = { name: 'rare-board', description: 'Rare Board', arch: 'armv7hf', why: 'No kernel.', way: 'A kernel.' };
const machine = `description: My board
arch: armv7hf
kernel: { debian: { package: linux-image-armmp, architecture: armhf } }
boot: { method: u-boot, package: { package: u-boot-omap, architecture: armhf }, file: u-boot.img }
disk: { table: mbr }
`;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-not-yet-'));
  mkdirSync(join(folder, 'machines'));
  writeFileSync(join(folder, 'build.config.yaml'), 'recipes: []\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (file: string, text: string): void => writeFileSync(join(folder, 'machines', file), text);

describe('a board without a machine file', () => {
  test('is refused with the reason and with what it takes', async () => {
    write('not-yet.json', JSON.stringify([board]));
    const project = await loadProject(folder, home);
    expect(() => findMachine(project, 'rare-board')).toThrow(
      expect.objectContaining({ code: 'OSB_UNKNOWN_MACHINE', message: 'no image can be built for Rare Board yet. No kernel.', hint: 'what it takes: A kernel.' }),
    );
  });

  test('is one no more when a project has a machine file for it', async () => {
    write('not-yet.json', JSON.stringify([board]));
    write('rare-board.yaml', machine);
    const project = await loadProject(folder, home);
    expect(project.notYet).toEqual([]);
    expect(findMachine(project, 'rare-board').machine.description).toBe('My board');
  });

  test.each([
    ['[', /not-yet\.json: is not JSON/],
    ['{}', /must be a list/],
    [JSON.stringify([board, { ...board, why: 7 }]), /entry 2: why must be a text/],
    ['[null]', /entry 1: name must be a text/],
  ])('stands in a file that is checked: %s', async (text, message) => {
    write('not-yet.json', text);
    await expect(loadProject(folder, home)).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringMatching(message) });
  });
});

test('every machine of this project says what was verified of it, and none is also among the impossible', async () => {
  const project = await loadProject(home, home);
  for (const { name, machine: { verified } } of project.machines.values()) expect(verified?.how, name).toMatch(/.{20}/);
  expect(project.notYet.map(({ name }) => name).filter((name) => project.machines.has(name))).toEqual([]);
});
