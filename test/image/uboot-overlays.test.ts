import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { packDeviceTree, packOverlay } from '../../src/device/overlay.ts';
import { packUbootScript, ubootScript } from '../../src/image/uboot-script.ts';
import { makeBoard, noEmulationTree, readDeviceTree, virt, type Start } from './support/uboot-board.ts';

/** As wide as an arm64 kernel's. */
const commandLineBytes = 2048;
const lists = ({ tree }: Start): { applied?: string | undefined; refused?: string | undefined } => {
  const words = tree?.get('/chosen/bootargs')?.split(' ') ?? [];
  const list = (name: string): string | undefined => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  return { applied: list('minke.overlays'), refused: list('minke.overlays-refused') };
};

/** Debian's U-Boot for QEMU's own boards applies no overlays, so each is refused there; the boot test of raspberrypi3-64 has one that does. */
describe('boot.scr, run by a real U-Boot', () => {
  let work = '';
  let board: Awaited<ReturnType<typeof makeBoard>>;
  beforeAll(async () => {
    if (noEmulationTree !== undefined) return;
    work = mkdtempSync(join(tmpdir(), 'osbuild-uboot-'));
    const script = ubootScript({ addresses: { decompressed: '0x48000000' }, bootCommand: 'booti', deviceTrees: false });
    board = await makeBoard(work, virt, {
      'boot.scr': packUbootScript(script, 1),
      'minke/slot.env': 'slot=A\n',
      'overlays/good.dtbo': packOverlay('/', { nodes: { added: { properties: { note: 'here' } } } }),
    });
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  beforeEach((context) => {
    if (noEmulationTree !== undefined) context.skip(noEmulationTree);
  });
  const startWith = async (text: string): Promise<Start & { file: string }> => {
    await board.put('minke/overlays.env', text);
    const start = await board.start();
    return { ...start, file: await board.text('minke/overlays.env') };
  };

  test('without overlays starts as it ever did, on the tree of the board', async () => {
    const plain = await board.start();
    expect(plain.tree?.get('/chosen/bootargs')?.trim()).toMatch(/^quiet +minke\.slot=A +minke\.boot=PARTUUID=12345678-01$/);
    expect(plain.tree?.get('/compatible')).toContain('linux,dummy-virt');
  });

  test('tries new ones once, as a start on trial, and writes that down before', async () => {
    const tried = await startWith('overlay_before=network\noverlay_tries=1\noverlays=good absent\n\0');
    expect(tried.file).toBe('overlay_before=network\noverlay_tries=0\noverlays=good absent\n\0');
    expect(lists(tried)).toEqual({ applied: '', refused: ':good:absent' });
    expect(tried.tree?.get('/chosen/bootargs')).toContain('minke.trial');
    const next = await board.start();
    expect(lists(next)).toEqual({});
    expect(next.tree?.get('/chosen/bootargs')).not.toContain('minke.trial');
  });

  test('applies those that were kept at every start, without a trial', async () => {
    const kept = await startWith('overlay_before=network\noverlay_tries=kept\noverlays=good\n\0');
    expect(lists(kept).refused).toBe(':good');
    expect(kept.file).toContain('overlay_tries=kept');
    expect(kept.tree?.get('/chosen/bootargs')).not.toContain('minke.trial');
  });

  test('tries no overlays in the start that tries a release', async () => {
    await board.put('minke/try.env', 'tries=1\ntry=A\n\0');
    const release = await startWith('overlay_before=none\noverlay_tries=1\noverlays=good\n\0');
    expect(release.tree?.get('/chosen/bootargs')).toContain('minke.trial');
    expect(lists(release)).toEqual({});
    expect(release.file).toContain('overlay_tries=1');
  });

  test('takes the other slot on the plain tree where the first one cannot be started', async () => {
    await board.put('minke/slot.env', 'slot=B\n');
    const other = await startWith('overlay_before=none\noverlay_tries=kept\noverlays=good\n\0');
    await board.put('minke/slot.env', 'slot=A\n');
    expect(other.console).toContain('cannot be started, trying slot A');
    expect(other.tree?.get('/chosen/bootargs')).toContain('minke.slot=A');
    expect(lists(other)).toEqual({});
  });

  test.each([
    ['commands', 'good;setenv bootargs evil;reset|reset&&reset more'],
    ['variables', '${bootcmd} $fdt_addr `reset` $(reset) more'],
    ['quotes', `"good; reset" 'reset' \\ " more`],
    ['other variables', 'good\nbootcmd=reset\nminke_start=reset\nkernel_addr_r=0'],
    ['too much', 'x'.repeat(100_000)],
    ['noise', Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7919) & 255)).toString('latin1')],
  ])('runs nothing of a file with %s in it', async (_, overlays) => {
    const start = await startWith(`overlay_before=none\noverlay_tries=kept\noverlays=${overlays}\n`);
    expect(start.tree?.get('/chosen/bootargs')).toMatch(/^quiet +minke\.slot=A +minke\.boot=PARTUUID=12345678-01/);
    expect(start.console.match(/starting slot A/g)).toHaveLength(1);
  });

  test('tells of the hash tree of the slot that is started, not of the one that could not be', async () => {
    const of = (slot: string): string => `${slot.toLowerCase().repeat(64)}:${'0'.repeat(64)}:5:5`;
    await board.put('A/verity.env', `os_verity=minke.verity=${of('A')}\n`);
    expect((await startWith('\n')).tree?.get('/chosen/bootargs')).toMatch(new RegExp(`^quiet +minke\\.verity=${of('A')} +minke\\.slot=A `));
    // Slot B has no kernel.
    await board.put('B/verity.env', `os_verity=minke.verity=${of('B')}\nbootcmd=reset\n`);
    await board.put('minke/slot.env', 'slot=B\n');
    const other = await board.start();
    await board.put('minke/slot.env', 'slot=A\n');
    expect(other.console).toContain('cannot be started, trying slot A');
    expect(other.tree?.get('/chosen/bootargs')).toContain(`minke.verity=${of('A')} `);
    expect(other.tree?.get('/chosen/bootargs')).not.toContain(of('B'));
  });

  test('has a command line that is never too long for its kernel', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `${index}`.padEnd(40, 'n'));
    await board.put('A/verity.env', `os_verity=minke.verity=${'a'.repeat(64)}:${'b'.repeat(64)}:99999999:99999999\n`);
    const start = await startWith(`overlay_before=none\noverlay_tries=kept\noverlays=${names.join(' ')}\n`);
    expect(start.tree?.get('/chosen/bootargs')).toContain(`minke.verity=${'a'.repeat(64)}:`);
    expect(lists(start).refused?.split(':').slice(1)).toEqual(names);
    expect(start.tree?.get('/chosen/bootargs')?.length).toBeLessThan(commandLineBytes / 2);
  });
});

test('boards of x86 have no device tree: their script says nothing of overlays', () => {
  expect(ubootScript({ addresses: {}, bootCommand: 'zboot', deviceTrees: false })).not.toMatch(/overlay|fdt/);
});

test('a device tree that is made for a test can be read again', () => {
  const tree = readDeviceTree(packDeviceTree({ properties: { model: 'm' }, nodes: { chosen: { properties: { bootargs: 'quiet', odd: 'abc' } }, empty: {} } }));
  expect([...tree]).toEqual([['/model', 'm'], ['/chosen/bootargs', 'quiet'], ['/chosen/odd', 'abc']]);
});
