import type { FinishArgs } from '../../../model/steps-debian.ts';
import { exists, putFile, putFolder, putLink, type RootTree } from '../tar/index.ts';

/** Files that say what this system is, and stamps that say that nothing is left to do on first boot. */
export function writeIdentity(tree: RootTree, args: Pick<FinishArgs, 'os' | 'mode' | 'machine'>, epoch: number): void {
  const { os, mode, machine } = args;
  const release: Record<string, string> = {
    NAME: os.name,
    ID: os.id,
    ID_LIKE: 'debian',
    PRETTY_NAME: `${os.name} ${os.version}`,
    VERSION: os.version,
    VERSION_ID: os.version,
    IMAGE_ID: `${os.id}-${machine}`,
    IMAGE_VERSION: os.version,
    VARIANT: mode === 'development' ? 'Development' : 'Production',
    VARIANT_ID: mode,
  };
  putFile(tree, 'usr/lib/os-release', Object.entries(release).map(([key, value]) => `${key}=${quote(value)}\n`).join(''));
  if (!tree.has('etc/os-release')) putLink(tree, 'etc/os-release', '../usr/lib/os-release');
  // Empty: systemd takes the id that the initrd binds over it, and a root without one is not taken for a first boot's.
  putFile(tree, 'etc/machine-id', '', { mode: 0o444 });
  const stamp = `# Written at build time: nothing below /usr is newer.\nTIMESTAMP_NSEC=${epoch}000000000\n`;
  for (const folder of ['etc', 'var']) putFile(tree, `${folder}/.updated`, stamp);
  const defaults: Record<string, string> = {
    'etc/hostname': `${os.id}\n`,
    'etc/hosts': '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n',
    'etc/fstab': '',
    // pam_env complains at every login where it is missing.
    'etc/environment': '',
    'etc/nsswitch.conf': 'passwd:\tfiles\ngroup:\tfiles\nshadow:\tfiles\nhosts:\tfiles dns\nnetworks:\tfiles\nprotocols:\tfiles\nservices:\tfiles\n',
    'etc/shells': '/bin/sh\n',
  };
  for (const [path, text] of Object.entries(defaults)) if (!tree.has(path) && !exists(tree, path)) putFile(tree, path, text);
  const folders: Record<string, number> = { proc: 0o755, sys: 0o755, dev: 0o755, run: 0o755, tmp: 0o1777, root: 0o700, mnt: 0o755, 'mnt/boot': 0o755, 'mnt/state': 0o755, 'mnt/data': 0o755, 'usr/share/minke': 0o755, 'usr/lib/minke': 0o755 };
  for (const [path, mode] of Object.entries(folders)) if (!exists(tree, path)) putFolder(tree, path, { mode });
}

/** Quotes a value of os-release(5). */
function quote(value: string): string {
  return /^[A-Za-z0-9._-]+$/.test(value) ? value : `"${value.replaceAll(/["\\$`]/g, (character) => `\\${character}`)}"`;
}
