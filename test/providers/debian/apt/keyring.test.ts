import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { projectFolder } from '../../../support/provider-build.ts';

/** Fingerprints of the primary keys as Debian publishes them. */
const published: Record<string, string> = {
  '04B54C3CDCA79751B16BC6B5225629DF75B188BD': 'archive, trixie',
  '5E04A1E3223A19A20706E20F9904613D4CCE68C6': 'security, trixie',
  '41587F7DB8C774BCCF131416762F67A0B2C39DE4': 'stable release, trixie',
  B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8: 'archive, bookworm',
  '05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0': 'security, bookworm',
  '4D64FEC119C2029067D6E791F8D2585B8783D481': 'stable release, bookworm',
};

test('the built-in keyring holds the keys that Debian publishes, and no other', () => {
  const ring = readFileSync(path.join(projectFolder, 'src/providers/debian/keyring/debian-archive.gpg'));
  expect(primaryFingerprints(ring).toSorted()).toEqual(Object.keys(published).toSorted());
});

/** Fingerprints of the primary keys (packet type 6, version 4) of a binary OpenPGP keyring. */
function primaryFingerprints(ring: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < ring.length; ) {
    const head = ring[at] ?? 0;
    let type: number;
    let length: number;
    let header: number;
    if (head & 0x40) {
      type = head & 0x3f;
      const first = ring[at + 1] ?? 0;
      [length, header] = first < 192 ? [first, 2] : first < 224 ? [((first - 192) << 8) + (ring[at + 2] ?? 0) + 192, 3] : [ring.readUInt32BE(at + 2), 6];
    } else {
      type = (head >> 2) & 0x0f;
      const size = 1 << (head & 3);
      [length, header] = [ring.readUIntBE(at + 1, size), 1 + size];
    }
    const body = ring.subarray(at + header, at + header + length);
    if (type === 6) {
      expect(body[0]).toBe(4);
      const prefix = Buffer.from([0x99, body.length >> 8, body.length & 0xff]);
      found.push(createHash('sha1').update(prefix).update(body).digest('hex').toUpperCase());
    }
    at += header + length;
  }
  return found;
}
