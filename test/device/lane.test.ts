import { expect, test } from 'vitest';

import { kernelParameters } from '../../src/device/lane.ts';
import { packUbootScript, ubootScript } from '../../src/image/uboot-script.ts';

test('kernel parameters are those of the script on the boot partition, for slot A', () => {
  const script = packUbootScript(ubootScript({ addresses: {}, commandLine: ['console=tty0', 'console=ttyAMA0,115200', 'panic=10'], bootCommand: 'bootz', deviceTrees: true }), 0);
  expect(kernelParameters(script.toString('latin1'))).toEqual(['console=tty0', 'console=ttyAMA0,115200', 'panic=10', 'minke.slot=A']);
});

test('a boot partition without such a script is told', () => {
  expect(() => kernelParameters('')).toThrow(expect.objectContaining({ code: 'OSB_BOOT_TEST_FAILED', hint: expect.stringContaining('U-Boot') }));
});
