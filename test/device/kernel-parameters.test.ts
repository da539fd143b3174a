import { expect, test } from 'vitest';

import { withKernelParameters } from '../../src/device/disk-copy.ts';

test.each([
  ['no file yet', '', 'extra_os_cmdline=quiet nosmp\n'],
  ['parameters of the owner', 'extra_os_cmdline=panic=3 quiet\n', 'extra_os_cmdline=panic=3 quiet nosmp\n'],
  ['other lines, as Windows writes them', 'custom=1\r\n\r\nextra_os_cmdline=a\r\nlater=2', 'custom=1\nlater=2\nextra_os_cmdline=a quiet nosmp\n'],
  ['the same words again', 'extra_os_cmdline=quiet nosmp\n', 'extra_os_cmdline=quiet nosmp\n'],
])('kernel parameters are added to extra_uEnv.txt: %s', (_, before, after) => {
  expect(withKernelParameters(before, ['quiet', 'nosmp'])).toBe(after);
});
