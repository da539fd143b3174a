import { expect, test } from 'vitest';

import { kernelParameters } from '../../src/device/lane.ts';

test('kernel parameters are those of slot A on the boot partition', () => {
  expect(kernelParameters('os_cmdline=console=tty0 console=ttyAMA0,115200 panic=10\n', '')).toEqual(['console=tty0', 'console=ttyAMA0,115200', 'panic=10', 'minke.slot=A']);
});

test('a boot partition without any is told', () => {
  expect(() => kernelParameters('', '')).toThrow(expect.objectContaining({ code: 'OSB_BOOT_TEST_FAILED', hint: expect.stringContaining('U-Boot') }));
});

test('they have the parameters of the slot’s hash tree, where it has one', () => {
  expect(kernelParameters('os_cmdline=panic=10\n', 'os_verity=minke.verity=aa:bb:1:2\n')).toEqual(['panic=10', 'minke.verity=aa:bb:1:2', 'minke.slot=A']);
});
