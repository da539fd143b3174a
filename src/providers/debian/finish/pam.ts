import { parseControl } from '../unpack/deb.ts';
import { listFolder, putFile, readText, type RootTree } from '../tar/index.ts';

interface Profile {
  file: string;
  priority: number;
  fields: Record<string, string>;
}

const kinds = ['account', 'auth', 'password', 'session', 'session-noninteractive'] as const;

/**
 * Writes /etc/pam.d/common-* from the packaged profiles, as pam-auth-update does where nobody chose: every profile that is
 * on by default, by priority. Primary modules jump over what is left of their block when they succeed.
 */
export function writePamFiles(tree: RootTree): void {
  const profiles = listFolder(tree, 'usr/share/pam-configs')
    .map((file): Profile => {
      const fields = parseControl((readText(tree, `usr/share/pam-configs/${file}`) ?? '').replaceAll(/^#.*\n/gm, ''));
      return { file, priority: Number(fields['Priority'] ?? '0'), fields };
    })
    .filter(({ fields }) => /^yes/i.test(fields['Default'] ?? ''))
    .toSorted((a, b) => b.priority - a.priority || (a.file < b.file ? -1 : 1));
  for (const kind of kinds) {
    const template = readText(tree, `usr/share/pam/common-${kind}`);
    if (template === null) continue;
    const text = fillTemplate(template, kind, profiles);
    putFile(tree, `etc/pam.d/common-${kind}`, text);
  }
}

function fillTemplate(template: string, kind: (typeof kinds)[number], profiles: Profile[]): string {
  const type = kind === 'session-noninteractive' ? 'session' : kind;
  const field = type[0]?.toUpperCase() + type.slice(1);
  const usable = profiles.filter(({ fields }) => kind !== 'session-noninteractive' || !/^yes/i.test(fields['Session-Interactive-Only'] ?? ''));
  const variable = kind.replace('-noninteractive', '_nonint');
  return template
    .split('\n')
    .flatMap((line) => {
      const match = /^\$(\w+)_(primary|additional)$/.exec(line.trim());
      if (match === null || (match[1] !== variable && match[1] !== type)) return [line];
      return block(usable, field, type, match[2] === 'primary' ? 'Primary' : 'Additional');
    })
    .join('\n');
}

function block(profiles: Profile[], field: string, type: string, part: 'Primary' | 'Additional'): string[] {
  const chosen = profiles.filter(({ fields }) => (fields[`${field}-Type`] ?? '') === part && fields[field] !== undefined);
  const lines = chosen.flatMap(({ fields }, index) => {
    const text = (index === 0 ? fields[`${field}-Initial`] : undefined) ?? fields[field] ?? '';
    return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  });
  const filled = lines.map((line, index) => `${type}\t${line.replace(/\bend\b/, String(lines.length - index))}`);
  return filled.length === 0 && part === 'Primary' ? [`${type}\t[default=1]\t\t\tpam_permit.so`] : filled;
}
