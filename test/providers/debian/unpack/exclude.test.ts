import { expect, test } from 'vitest';
import { excludedBy } from '../../../../src/providers/debian/unpack/exclude.ts';

test('the last glob that matches decides, and ! keeps', () => {
  const excluded = excludedBy(['/usr/share/doc/**', '!/usr/share/doc/kept/copyright', '/etc/cron.*/**', '/usr/bin/perl*', '/usr/lib/*/gconv/*.so', '!/usr/lib/*/gconv/UTF-16.so']);
  expect(excluded('usr/share/doc/bash/copyright')).toBe(true);
  expect(excluded('usr/share/doc/kept/copyright')).toBe(false);
  expect(excluded('usr/share/doc/kept')).toBe(true);
  expect(excluded('usr/share/document')).toBe(false);
  expect(excluded('etc/cron.daily/x')).toBe(true);
  expect(excluded('etc/cron.daily/.placeholder')).toBe(true);
  expect(excluded('etc/crontab')).toBe(false);
  expect(excluded('usr/bin/perl5.40')).toBe(true);
  expect(excluded('usr/lib/arm-linux-gnueabihf/gconv/EUC-JP.so')).toBe(true);
  expect(excluded('usr/lib/arm-linux-gnueabihf/gconv/UTF-16.so')).toBe(false);
  expect(excluded('usr/lib/arm-linux-gnueabihf/libc.so.6')).toBe(false);
});
