/**
 * Commands of maintainer scripts that the finish step stands in for, or that have no meaning for an image which is made
 * once and never upgraded by packages. Each has its reason.
 */
export const coveredCommands: readonly { command: RegExp; reason: string }[] = [
  { command: /^(set|shift|exit|return|local|true|:|export|umask|unset|break|continue|\[|\[\[|test|echo|printf|cat <<)/, reason: 'has no effect on files' },
  { command: /^[^A-Za-z]*$/, reason: 'a fragment of a pattern, not a command' },
  { command: /^(grep|sed(?! -i)|awk|cut|tr|sort|cmp|md5sum|getent|read|pidof|dpkg-query|dpkg -[sWlL]|df|id|stat|readlink|realpath|dirname|basename|ischroot|getcap)\b(?!.*[^2&]>\s*["$/])/, reason: 'only reads' },
  { command: /^deb-systemd-helper\b/, reason: 'units are enabled by the allow-list of recipes' },
  { command: /^deb-systemd-invoke\b|^invoke-rc\.d\b|^systemctl\b|^service\b|^\/etc\/init\.d\//, reason: 'nothing runs at build time' },
  { command: /^update-rc\.d\b/, reason: 'there are no SysV init scripts' },
  { command: /^ldconfig\b|^dpkg-trigger\b/, reason: 'the library cache is built from the finished tree' },
  { command: /^update-alternatives\b/, reason: 'alternatives with literal paths are made by the finish step' },
  { command: /^dpkg-maintscript-helper\b/, reason: 'converts what older versions left' },
  { command: /^systemd-tmpfiles\b/, reason: 'tmpfiles run at boot' },
  { command: /^systemd-sysusers\b|^adduser\b|^addgroup\b/, reason: 'accounts come from sysusers lines; owners that a script sets stand in statoverrides' },
  { command: /^systemd-hwdb\b|^udevadm\b/, reason: 'the hardware database is compiled by the finish step' },
  { command: /^pam-auth-update\b/, reason: 'the finish step writes the common-* files of PAM' },
  { command: /^update-ca-certificates\b/, reason: 'the finish step writes the bundle' },
  { command: /^update-initramfs\b/, reason: 'the initrd is our own' },
  { command: /^depmod\b/, reason: 'modules are indexed when the kernel is unpacked' },
  { command: /^update-mime-database\b|^update-desktop-database\b|^gtk-update-icon-cache\b/, reason: 'no desktop' },
  { command: /^py3?compile\b|^py3?clean\b/, reason: 'the root is read-only: Python compiles in memory' },
  { command: /^db_\w+|^\. \/usr\/share\/debconf\/confmodule/, reason: 'no questions are asked' },
  { command: /^rm -r?f?\b|^rmdir\b/, reason: 'removes what older versions left; in an image that is made once there is nothing' },
  { command: /^dpkg-divert\b.*\.usr-is-merged/, reason: 'guards files while /usr is merged on a running system' },
  { command: /^ucf\b|^ucfr\b/, reason: 'configuration files stand in the recipes' },
];

const keywords = /^(if|then|else|elif|while|until|do|for|case|!|\{|\(|time)\s+/;
const closers = /^(fi|done|esac|then|else|do|\}|\)|;;|\{|in)?$/;

/**
 * What is left of a maintainer script when generated sections (debhelper), upgrades from older versions, functions that
 * are only defined, control flow and covered commands are taken out. An approximation by lines: it may call something
 * left over that is harmless, and never passes a line that names no known command.
 */
export function leftoverCommands(script: string): string[] {
  const plain = withoutHereDocuments(withoutGenerated(script))
    .replaceAll(/\\\n/g, ' ');
  const lines = withoutUpgrades(plain.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')));
  const functions = new Set(lines.flatMap((line) => /^(?:function\s+)?([\w-]+)\s*\(\)/.exec(line)?.[1] ?? []));
  return [...new Set(lines.flatMap(commandsOf))].filter((command) => {
    if (closers.test(command) || functions.has(command.split(/\s/)[0] ?? '')) return false;
    return !coveredCommands.some((known) => known.command.test(command));
  });
}

/** A maintainer script without the sections that debhelper put into it. */
export function withoutGenerated(script: string): string {
  return script.replaceAll(/^# Automatically added by dh_\w+[\s\S]*?^# End automatically added section$/gm, '');
}

function commandsOf(line: string): string[] {
  if (/^(?:function\s+)?[\w-]+\s*\(\)/.test(line)) return [];
  return line
    .replace(/\s#.*$/, '')
    .replace(/^\(?[\w"$|*? .-]+\)\s*(?=$|[^)])/, (label) => (/^\(?["\w|*?$. -]+\)\s*$/.test(label) || /\w\)\s/.test(label) ? '' : label))
    .split(/\s*(?:;;|;|&&|\|\||\|)\s*/)
    .map(stripPrefix)
    .filter((command) => command !== '');
}

function stripPrefix(command: string): string {
  let rest = command.trim();
  for (let before = ''; before !== rest; ) {
    before = rest;
    rest = rest.replace(/^(for\s+\w+\s+in\b.*|case\s+.*\s+in)$/, '').replace(keywords, '').replace(/^\w+=("[^"]*"|'[^']*'|\$\([^)]*\)|\S*)(\s+|$)/, '').replace(/^(\/usr)?\/s?bin\//, '').replace(/^(exec|command|eval)\s+(?!-v)/, '').trim();
  }
  return rest.replace(/^command -v.*/, '').replace(/^which\b.*/, '');
}

/** Blocks that compare the version upgraded from: on a fresh system there is none. */
function withoutUpgrades(lines: string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (!/^(el)?if\b.*dpkg --compare-versions\s+(--\s+)?"?\$\{?(2|OLD)/.test(line) && !/^if \[ (-n "\$2"|"\$2" != "") \]/.test(line)) {
      kept.push(line);
      continue;
    }
    for (let depth = 1; depth > 0 && index + 1 < lines.length; ) {
      index += 1;
      const inner = lines[index] ?? '';
      if (/(^|[;\s])if\b/.test(inner) && !/\bfi\b/.test(inner)) depth += 1;
      if (/^fi\b/.test(inner)) depth -= 1;
      if (depth === 1 && /^(else|elif)\b/.test(inner)) break;
    }
  }
  return kept;
}

function withoutHereDocuments(script: string): string {
  return script.replaceAll(/<<-?\s*["']?(\w+)["']?[^\n]*\n[\s\S]*?\n\s*\1(?=\n|$)/g, '');
}
