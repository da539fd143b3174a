import { expect, test } from 'vitest';
import { readLicences } from '../../../../src/providers/debian/unpack/licences.ts';

test('licence names of a machine-readable copyright file', () => {
  const text = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: A\nLicense: GPL-2+ or Expat\n\nFiles: b\nLicense: LGPL-2.1+, and BSD-3-clause\n\nLicense: GPL-2+\n text\n';
  expect(readLicences(text)).toEqual(['BSD-3-clause', 'Expat', 'GPL-2+', 'LGPL-2.1+']);
});

test('a free-form copyright file: what it refers to and quotes', () => {
  expect(readLicences('It is free software.\nOn Debian systems see `/usr/share/common-licenses/GPL-3\'.\n\nPermission is hereby granted, free of charge, to any person obtaining a copy')).toEqual(['Expat', 'GPL-3']);
  expect(readLicences('no licence is named')).toEqual([]);
});
