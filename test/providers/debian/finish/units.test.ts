import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyUnits, type UnitWishes } from '../../../../src/providers/debian/finish/units.ts';
import { putFile, putLink, readFolder, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';
import { hasProgram, need } from '../../../support/need.ts';

const units: Record<string, string> = {
  'network.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=dbus-org.network.service\nAlso=helper.service\n',
  'helper.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target \\\n graphical.target\n',
  'getty@.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n',
  'static.service': '[Service]\nExecStart=/bin/true\n',
  'other.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
  'need.socket': '[Socket]\nListenStream=1\n[Install]\nRequiredBy=sockets.target\n; WantedBy=nothing.target\n',
};

function unitTree(): RootTree {
  const tree: RootTree = new Map();
  for (const [name, text] of Object.entries(units)) putFile(tree, `usr/lib/systemd/system/${name}`, text);
  return tree;
}
const wish = (change: Partial<UnitWishes>): UnitWishes => ({ origin: 'recipe r', enable: [], disable: [], mask: [], ...change });
const links = (tree: RootTree): string[] => [...tree.values()].filter(({ entry }) => entry.type === 'link' && entry.path.startsWith('etc/systemd/system')).map(({ entry }) => `${entry.path.slice(19)} ${entry.target}`).toSorted();

describe('units', () => {
  test('the same links as systemctl preset-all with the preset file that is written', async (context) => {
    need(context, hasProgram('systemctl'), 'systemctl, which is compared with, is not installed');
    const tree = unitTree();
    applyUnits(tree, [wish({ enable: ['network.service', 'need.socket', 'getty@.service'] })]);
    const root = mkdtempSync(path.join(tmpdir(), 'osbuild-units-'));
    for (const { entry } of [...tree.values()].filter(({ entry: item }) => item.type === 'file')) {
      mkdirSync(path.dirname(path.join(root, entry.path)), { recursive: true });
      writeFileSync(path.join(root, entry.path), readText(tree, entry.path) ?? '');
    }
    execFileSync('systemctl', [`--root=${root}`, 'preset-all'], { stdio: 'ignore' });
    const theirs = await readFolder(root);
    rmSync(root, { recursive: true });
    expect(links(tree).map((line) => line.replace(' /usr/lib', ' /lib'))).toEqual(links(theirs).map((line) => line.replace(' /usr/lib', ' /lib')));
    expect(links(tree)).toContain('getty.target.wants/getty@tty1.service /usr/lib/systemd/system/getty@.service');
  });

  test('an instance, a disabled unit under Also=, a mask over an enabled unit', () => {
    const tree = unitTree();
    putLink(tree, 'etc/systemd/system/other.service', '/usr/lib/systemd/system/static.service');
    applyUnits(tree, [wish({ enable: ['network.service', 'getty@ttyS0.service'] }), wish({ disable: ['helper.service'], mask: ['other.service'] })]);
    expect(links(tree)).toEqual([
      'dbus-org.network.service /usr/lib/systemd/system/network.service',
      'getty.target.wants/getty@ttyS0.service /usr/lib/systemd/system/getty@.service',
      'multi-user.target.wants/network.service /usr/lib/systemd/system/network.service',
      'other.service /dev/null',
    ]);
  });

  test('what cannot be enabled is told, with the recipe that wants it', () => {
    const attempt = (unit: string) => (): void => applyUnits(unitTree(), [wish({ enable: [unit] })]);
    expect(attempt('nosuch.service')).toThrow(expect.objectContaining({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('recipe r enables nosuch.service') }));
    expect(attempt('static.service')).toThrow(/no \[Install\]/);
  });
});
