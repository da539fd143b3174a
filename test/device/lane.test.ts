import { expect, test } from 'vitest';

import { kernelParameters } from '../../src/device/lane.ts';

test('kernel parameters are those of slot A on the boot partition', () => {
  expect(kernelParameters('os_cmdline=console=tty0 console=ttyAMA0,115200 panic=10\n')).toEqual(['console=tty0', 'console=ttyAMA0,115200', 'panic=10', 'minke.slot=A']);
});

test('a boot partition without any is told', () => {
  expect(() => kernelParameters('')).toThrow(expect.objectContaining({ code: 'OSB_BOOT_TEST_FAILED', hint: expect.stringContaining('U-Boot') }));
});
