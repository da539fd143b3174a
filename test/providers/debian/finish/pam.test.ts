import { expect, test } from 'vitest';
import { writePamFiles } from '../../../../src/providers/debian/finish/pam.ts';
import { putFile, readText, type RootTree } from '../../../../src/providers/debian/tar/index.ts';

test('PAM files: profiles by priority, jumps over the rest of the block, sessions of services apart', () => {
  const tree: RootTree = new Map();
  putFile(tree, 'usr/share/pam-configs/unix', 'Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_unix.so try_first_pass\nAuth-Initial:\n\t[success=end default=ignore]\tpam_unix.so\nSession-Type: Additional\nSession:\n\trequired\tpam_unix.so\n');
  putFile(tree, 'usr/share/pam-configs/card', 'Name: Card\nDefault: yes\nPriority: 900\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_card.so again\nAuth-Initial:\n\t[success=end default=ignore]\tpam_card.so\n');
  putFile(tree, 'usr/share/pam-configs/systemd', 'Name: S\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional\tpam_systemd.so\n');
  putFile(tree, 'usr/share/pam-configs/mkhomedir', 'Name: M\nDefault: no\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional\tpam_mkhomedir.so\n');
  putFile(tree, 'usr/share/pam/common-auth', '# head\n$auth_primary\nauth requisite pam_deny.so\n$auth_additional\n');
  putFile(tree, 'usr/share/pam/common-session', '$session_primary\n$session_additional\n');
  putFile(tree, 'usr/share/pam/common-session-noninteractive', '$session_nonint_primary\n$session_nonint_additional\n');
  writePamFiles(tree);
  expect(readText(tree, 'etc/pam.d/common-auth')).toBe('# head\nauth\t[success=2 default=ignore]\tpam_card.so\nauth\t[success=1 default=ignore]\tpam_unix.so try_first_pass\nauth requisite pam_deny.so\n');
  expect(readText(tree, 'etc/pam.d/common-session')).toBe('session\t[default=1]\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so\nsession\toptional\tpam_systemd.so\n');
  expect(readText(tree, 'etc/pam.d/common-session-noninteractive')).toBe('session\t[default=1]\t\t\tpam_permit.so\nsession\trequired\tpam_unix.so\n');
});
