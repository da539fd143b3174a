import { describe, expect, test } from 'vitest';
import { findArchives, parseDeb822Sources, parseOneLineSources } from '../../../../src/providers/debian/apt/sources.ts';

describe('apt sources', () => {
  test('a deb822 file with comments, several types and a disabled stanza', () => {
    const entries = parseDeb822Sources(
      ['Types: deb deb-src', '# a comment', 'URIs: http://one.example/debian', '  http://two.example/debian/', 'Suites: trixie trixie-updates', 'Components: main', 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg', '', 'Types: deb', 'Enabled: no', 'URIs: http://off.example/debian', 'Suites: trixie', 'Components: main', '', 'Types: deb-src', 'URIs: http://src.example/debian', 'Suites: trixie', 'Components: main'].join('\n'),
    );
    expect(entries).toEqual([{ uris: ['http://one.example/debian', 'http://two.example/debian/'], suites: ['trixie', 'trixie-updates'], components: ['main'], signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg' }]);
  });

  test('a one-line file with options, comments and source lines', () => {
    const entries = parseOneLineSources('# deb http://no.example/debian trixie main\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian trixie main contrib # why\ndeb-src http://a.example/debian trixie main\n');
    expect(entries).toEqual([{ uris: ['http://a.example/debian'], suites: ['trixie'], components: ['main', 'contrib'], signedBy: '/k.gpg' }]);
  });

  test("other vendors' repositories are not taken for Debian's", () => {
    const entries = parseOneLineSources(
      ['deb https://vendor.example/linux/debian bookworm stable', 'deb https://packages.example/debian/12/prod bookworm main', 'deb cdrom:[Debian]/debian trixie main', 'deb http://mirror.example/pub/debian/ bookworm main', 'deb http://sec.example/debian-security bookworm-security main'].join('\n'),
    );
    expect(findArchives(entries)).toEqual({ main: 'http://mirror.example/pub/debian', security: 'http://sec.example/debian-security' });
  });

  test('a snapshot address is an archive, and the security archive is looked for beside it', () => {
    expect(findArchives(parseOneLineSources('deb http://snap.example/archive/debian/20260101T000000Z trixie main'))).toEqual({
      main: 'http://snap.example/archive/debian/20260101T000000Z',
      security: 'http://snap.example/archive/debian-security/20260101T000000Z',
    });
  });

  test('overrides win, and no mirror at all is told with a hint', () => {
    expect(findArchives([], { mirror: 'http://x.example/debian/', securityMirror: 'http://y.example/s/' })).toEqual({ main: 'http://x.example/debian', security: 'http://y.example/s' });
    expect(() => findArchives(parseOneLineSources('deb http://ubuntu.example/ubuntu noble main'))).toThrow(expect.objectContaining({ code: 'OSB_MIRROR_UNKNOWN', hint: expect.stringContaining('debian.mirror') }));
  });
});
