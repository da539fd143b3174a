import { describe, expect, test } from 'vitest';
import type { DebianLock, LockedPackage } from '../../../../src/model/index.ts';
import { lockedHeaders, movable } from '../../../../src/providers/debian/kernel/headers.ts';
import { headersPackage, isOfHeaders } from '../../../../src/providers/debian/kernel/headers-packages.ts';
import { putFile, putLink, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';

const locked = (name: string, version: string, ...sets: string[]): LockedPackage => ({ name, version, architecture: 'amd64', archive: 'main', filename: `pool/${name}.deb`, sizeBytes: 1, sha256: 'a'.repeat(64), sets });
const lock = (...packages: LockedPackage[]): DebianLock => ({ version: 1, suite: 'trixie', components: ['main'], request: { architecture: 'amd64', foreign: [], packages: [] }, packages });

describe('the headers of a kernel', () => {
  test.each([
    ['linux-image-amd64', 'linux-headers-amd64'],
    ['linux-image-6.12.117+deb13-rpi', 'linux-headers-6.12.117+deb13-rpi'],
    ['linux-image-6.12.117+deb13-amd64-unsigned', 'linux-headers-6.12.117+deb13-amd64'],
    ['linux-source-6.12', null],
    ['vendor-kernel', null],
  ])('of %s are %s', (kernel, headers) => expect(headersPackage(kernel)).toBe(headers));

  test('are packages of the kernel alone, not the compiler that apt adds to them', () => {
    expect(['linux-headers-6.12.117+deb13-common', 'linux-kbuild-6.12.117+deb13', 'gcc-14', 'linux-image-6.12.117+deb13-amd64', 'linux-libc-dev'].filter(isOfHeaders)).toEqual(['linux-headers-6.12.117+deb13-common', 'linux-kbuild-6.12.117+deb13']);
  });

  test('are taken from the lock where they are of the very kernel; another one is refused', () => {
    const kernel = locked('linux-image-6.12.2-amd64', '6.12.2-1', 'kernel');
    const common = locked('linux-headers-6.12.2-common', '6.12.2-1', 'kernelHeaders');
    const headers = locked('linux-headers-6.12.2-amd64', '6.12.2-1', 'kernelHeaders');
    expect(lockedHeaders(lock(kernel, common, headers)).map(({ name }) => name)).toEqual([common.name, headers.name]);
    expect(lockedHeaders(lock(kernel))).toEqual([]);
    for (const other of [locked('linux-headers-6.12.1-amd64', '6.12.1-1', 'kernelHeaders'), { ...headers, version: '6.12.2-2' }]) {
      expect(() => lockedHeaders(lock(kernel, common, other))).toThrow(expect.objectContaining({ code: 'OSB_LOCK_STALE' }));
    }
  });

  test('name no place: links lead below the archive, the makefile to its neighbour', () => {
    const tree: RootTree = new Map();
    putFile(tree, 'usr/src/linux-headers-1-amd64/Makefile', 'include /usr/src/linux-headers-1-common/Makefile\n');
    putFile(tree, 'usr/src/linux-headers-1-common/Makefile', 'KERNEL = here\n');
    putLink(tree, 'usr/lib/modules/1-amd64/build', '/usr/src/linux-headers-1-amd64');
    putLink(tree, 'usr/src/linux-headers-1-amd64/tools', '../../lib/linux-kbuild-1/tools');
    movable(tree);
    expect(tree.get('usr/lib/modules/1-amd64/build')?.entry.target).toBe('../../../../usr/src/linux-headers-1-amd64');
    expect(tree.get('usr/src/linux-headers-1-amd64/tools')?.entry.target).toBe('../../lib/linux-kbuild-1/tools');
    expect(readText(tree, 'usr/lib/modules/1-amd64/build/Makefile')).toBe('include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../linux-headers-1-common/Makefile\n');
    expect(readText(tree, 'usr/src/linux-headers-1-common/Makefile')).toBe('KERNEL = here\n');
  });

  test('name no place from Linux 6.19 on either, where the makefile says where it stands', () => {
    const tree: RootTree = new Map();
    const makefile = 'usr/src/linux-headers-7.3.4+deb13-amd64/Makefile';
    putFile(tree, makefile, 'KBUILD_OUTPUT=/usr/src/linux-headers-7.3.4+deb13-amd64\ninclude /usr/src/linux-headers-7.3.4+deb13-common/Makefile\n');
    movable(tree);
    const here = '$(dir $(realpath $(lastword $(MAKEFILE_LIST))))';
    expect(readText(tree, makefile)).toBe(`KBUILD_OUTPUT := $(patsubst %/,%,${here})\ninclude ${here}../linux-headers-7.3.4+deb13-common/Makefile\n`);
  });
});
