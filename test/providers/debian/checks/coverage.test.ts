import { describe, expect, test } from 'vitest';
import { uncoveredScripts } from '../../../../src/providers/debian/checks/coverage.ts';
import { leftoverCommands } from '../../../../src/providers/debian/checks/script-classes.ts';
import { parseAlternatives } from '../../../../src/providers/debian/finish/alternatives.ts';

const generated = `#!/bin/sh
set -e
# Automatically added by dh_installsystemd/13.24.2
if [ "$1" = "configure" ]; then
	if deb-systemd-helper debian-installed 'x.service'; then
		something-generated --now
	fi
fi
# End automatically added section
exit 0
`;

describe('what maintainer scripts do', () => {
  test('generated sections, upgrades from older versions and covered commands leave nothing', () => {
    expect(leftoverCommands(generated)).toEqual([]);
    expect(leftoverCommands('#!/bin/sh\nset -e\nif [ "$1" = configure ] && dpkg --compare-versions "$2" lt 2.0; then\n  convert-old /etc/x\nfi\nupdate-alternatives --install /usr/bin/a a /usr/bin/b 5\n')).toEqual([]);
    expect(leftoverCommands('case "$1" in\n  configure)\n    ldconfig || true\n    ;;\n  abort-upgrade|abort-remove)\n    ;;\nesac\n')).toEqual([]);
  });

  test('anything else is named', () => {
    expect(leftoverCommands('#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n  install -d -o daemon /var/spool/x\n  systemctl daemon-reload; make-keys --all >/etc/keys\nfi\n')).toEqual(['install -d -o daemon /var/spool/x', 'make-keys --all >/etc/keys']);
    expect(leftoverCommands('cat > /etc/motd <<EOF\nhello\nEOF\n')).toHaveLength(1);
    expect(leftoverCommands('if dpkg --compare-versions "$2" lt 2.0; then\n  old\nelse\n  fresh-only /x\nfi\n')).toEqual(['fresh-only /x']);
  });

  test('packages are told with their script, unless a recipe stands in for them; removal does not count', () => {
    const control = (name: string, scripts: Record<string, string>) => ({ name, version: '1', architecture: 'all', fields: {}, triggers: '', scripts });
    const set = [control('a', { postinst: 'make-keys' }), control('b', { postinst: 'make-keys' }), control('c', { postrm: 'remove-all' }), control('d', { preinst: generated })];
    expect(uncoveredScripts(set, new Set(['b']))).toEqual([{ package: 'a', script: 'postinst', lines: ['make-keys'] }]);
  });

  test('alternatives with literal paths are read, with their slaves', () => {
    const script = 'update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n  --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz\nupdate-alternatives --install "$link" x $y 5\n';
    expect(parseAlternatives(script)).toEqual([
      { link: '/usr/bin/awk', name: 'awk', path: '/usr/bin/mawk', priority: 5, slave: false, master: 'awk' },
      { link: '/usr/share/man/man1/awk.1.gz', name: 'awk.1.gz', path: '/usr/share/man/man1/mawk.1.gz', priority: 5, slave: true, master: 'awk' },
    ]);
  });
});
