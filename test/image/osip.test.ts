import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import { bootAreas } from '../../src/image/boot-areas.ts';
import { encodeDiskTable } from '../../src/image/disk-table.ts';
import { osipImage, osipTable } from '../../src/image/osip.ts';
import { planPartitions } from '../../src/image/partition-table.ts';
import type { Machine } from '../../src/model/index.ts';

/**
 * The table that edison-fw/meta-intel-edison writes (commit 250cb132, meta-intel-edison-bsp/recipes-bsp/u-boot/u-boot-osip.inc): its
 * OSIP_HEADER_HEX_DATA with the three values of the recipe's first lines and a size of 6 MiB put in, and the sum that its loop
 * comes to. Behind the header 0xff up to the disk's signature.
 */
const golden = `244f5324 00 00 01 02 01 01 3800 ${'00'.repeat(20)} 00000000 00080000 00001001 00101001 00300000 0f 000000`.replaceAll(' ', '').padEnd(440 * 2, 'f');
const edison = { startBytes: 1024 ** 2, sizeBytes: 6 * 1024 ** 2, loadAddress: 17825792, entryAddress: 17829888 };

describe('OSIP', () => {
  test('is byte for byte the table of the stock board', () => {
    expect(osipTable(edison).toString('hex')).toBe(golden);
  });

  test('sums up to zero, whatever it points at', () => {
    const sum = (bytes: Buffer): number => bytes.subarray(0, 0x38).reduce((all, byte) => all ^ byte, 0);
    // The header as it is printed in the recipe, before its values are put in, has a sum that holds too.
    expect(sum(Buffer.from('244f53240000012101013800000000000000000000000000000000000000000000000000220000000000100100101001380100000f000000', 'hex'))).toBe(0);
    for (const startBytes of [512, 4 * 1024 ** 2, 3 * 1024 ** 3]) expect(sum(osipTable({ ...edison, startBytes }))).toBe(0);
  });

  test.each(['gpt', 'mbr'] as const)('stands in the boot code of a %s, and leaves every byte of the table as it is', (table) => {
    const layout = planPartitions('board', { table });
    const [plain, filled] = [encodeDiskTable(layout, undefined), encodeDiskTable(layout, edison)];
    const [first, ...others] = filled;
    expect(others).toEqual(plain.slice(1));
    expect(first?.offset).toBe(0);
    expect(first?.bytes.subarray(0, 440).toString('hex')).toBe(golden);
    expect(first?.bytes.subarray(440)).toEqual(plain[0]?.bytes.subarray(440));
    expect(first?.bytes.subarray(510).toString('hex')).toBe('55aa');
  });
});

test('that of the Edison: as long as its area, the rest as on the stock board', async () => {
  const { boot } = await readYaml('machine', new URL('../../machines/intel-edison.yaml', import.meta.url).pathname);
  const areas = bootAreas(boot);
  const image = osipImage(boot, areas, 'machines/intel-edison.yaml');
  // 0x1000 sectors instead of 0x3000, and so a sum of 0x22 instead of 0x02.
  const own = golden.replace('0102010138', '0122010138').replace('001010010030', '001010010010');
  expect(image === null ? null : osipTable(image).toString('hex')).toBe(own);
  expect(areas.find(({ name }) => name === 'u-boot')).toMatchObject({ offsetBytes: 1024 ** 2, sizeBytes: 0x1000 * 512 });
});

describe('what a machine says of it', () => {
  const areas = [{ name: 'u-boot', file: 'u-boot.bin', offsetBytes: 1024 ** 2, sizeBytes: 4096 }, { name: 'environment', file: null, offsetBytes: 3 * 1024 ** 2, sizeBytes: 4096 }];
  const osip = { area: 'u-boot', sizeBytes: 6 * 1024 ** 2, loadAddress: '0x01100000', entryAddress: '0x01101000' };
  const boot = (changed: Partial<typeof osip>): Machine['boot'] => ({ method: 'u-boot', file: 'u-boot.bin', osip: { ...osip, ...changed } });
  const refused = (changed: Partial<typeof osip>, message: RegExp): void => {
    expect(() => osipImage(boot(changed), areas, 'machines/b.yaml')).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringMatching(message), hint: expect.any(String) }));
  };

  test('comes out in numbers, at the place of its area', () => {
    expect(osipImage(boot({}), areas, 'f')).toEqual(edison);
    expect(osipImage({ method: 'u-boot', file: 'u-boot.bin' }, areas, 'f')).toBeNull();
  });

  test('must be an area with a program, whole sectors, and an entry inside of them', () => {
    refused({ area: 'u-bot' }, /no area u-bot/);
    refused({ area: 'environment' }, /no area environment that holds a program/);
    refused({ sizeBytes: 1000 }, /whole number of sectors/);
    refused({ entryAddress: '0x01000000' }, /entryAddress is outside/);
    refused({ entryAddress: '0x01700000' }, /entryAddress is outside/);
  });
});
