import { OsbuildError } from '../../../model/index.ts';
import { exists, listFolder, putFile, putLink, readText, removePath, type RootTree } from '../tar/index.ts';

/** Units that one recipe wants changed. */
export interface UnitWishes {
  /** Who asks, for messages: `recipe base`. */
  origin: string;
  enable: string[];
  disable: string[];
  mask: string[];
}

interface InstallSection {
  wantedBy: string[];
  requiredBy: string[];
  upheldBy: string[];
  alias: string[];
  also: string[];
  defaultInstance: string | null;
}

const folders = ['etc/systemd/system', 'usr/local/lib/systemd/system', 'usr/lib/systemd/system'];
const presetFile = 'usr/lib/systemd/system-preset/00-minke.preset';

/**
 * Enables exactly the units that recipes name, as `systemctl preset-all` would with a preset of that allow-list followed by
 * `disable *`; the preset file itself is left in the image for whoever asks systemd later.
 * @throws OSB_CONFIG_INVALID for a unit that is not there or cannot be enabled
 */
export function applyUnits(tree: RootTree, wishes: UnitWishes[]): void {
  const disabled = new Set(wishes.flatMap(({ disable }) => disable));
  const enabled = new Set<string>();
  for (const { origin, enable } of wishes) {
    for (const unit of enable) {
      enableUnit(tree, unit, origin, enabled, disabled);
    }
  }
  const lines = [...wishes.flatMap(({ enable }) => enable)].filter((unit) => !disabled.has(unit)).map((unit) => `enable ${unit}`);
  putFile(tree, presetFile, [...new Set([...[...disabled].map((unit) => `disable ${unit}`), ...lines]), 'disable *', ''].join('\n'));
  for (const unit of new Set(wishes.flatMap(({ mask }) => mask))) {
    removePath(tree, `etc/systemd/system/${unit}`);
    putLink(tree, `etc/systemd/system/${unit}`, '/dev/null');
  }
}

/** What is disabled stays so, even where an enabled unit names it under Also=. */
function enableUnit(tree: RootTree, unit: string, origin: string, done: Set<string>, disabled: ReadonlySet<string>): void {
  if (done.has(unit) || disabled.has(unit)) return;
  done.add(unit);
  const { template, instance, suffix } = splitUnit(unit);
  const file = findUnit(tree, unit) ?? (template === null ? null : findUnit(tree, `${template}@.${suffix}`));
  if (file === null) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${origin} enables ${unit}, which the image does not have.`, { hint: 'Check its name, and that no `exclude` leaves it out.', details: { unit } });
  }
  const section = readInstall(tree, file, unit);
  const effective = template !== null && instance === '' ? `${template}@${section.defaultInstance ?? ''}.${suffix}` : unit;
  const wants: [string[], string][] = [[section.wantedBy, 'wants'], [section.requiredBy, 'requires'], [section.upheldBy, 'upholds']];
  if (section.alias.length + section.also.length + wants.reduce((sum, [units]) => sum + units.length, 0) === 0) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${origin} enables ${unit}, which has no [Install] section that says where.`, { hint: 'A static unit is started by others: leave it out of `enable`.', details: { unit } });
  }
  if (template !== null && instance === '' && section.defaultInstance === null) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${origin} enables the template ${unit} without an instance.`, { hint: `Name one, such as ${template}@tty1.${suffix}.`, details: { unit } });
  }
  for (const [targets, kind] of wants) for (const target of targets) putLink(tree, `etc/systemd/system/${expand(target, effective)}.${kind}/${effective}`, `/${file}`);
  for (const alias of section.alias) {
    const name = expand(alias, effective);
    if (name !== unit) putLink(tree, `etc/systemd/system/${name}`, `/${file}`);
  }
  for (const other of section.also) enableUnit(tree, expand(other, effective), origin, done, disabled);
}

/** Path of a unit file, without a leading slash; links within the unit folders are followed to the file they name. */
function findUnit(tree: RootTree, unit: string): string | null {
  for (const folder of folders) {
    const key = `${folder}/${unit}`;
    const entry = tree.get(key)?.entry;
    if (entry === undefined) continue;
    if (entry.type !== 'link') return key;
    if (entry.target === '/dev/null') return null;
    const target = entry.target.split('/').at(-1) ?? '';
    if (target !== unit && exists(tree, key)) return findUnit(tree, target) ?? key;
    return key;
  }
  return null;
}

function readInstall(tree: RootTree, file: string, unit: string): InstallSection {
  const section: InstallSection = { wantedBy: [], requiredBy: [], upheldBy: [], alias: [], also: [], defaultInstance: null };
  const dropIns = folders.toReversed().flatMap((folder) => listFolder(tree, `${folder}/${unit}.d`).filter((name) => name.endsWith('.conf')).map((name) => `${folder}/${unit}.d/${name}`));
  for (const source of [file, ...dropIns]) readSection(readText(tree, source) ?? '', section);
  return section;
}

function readSection(text: string, section: InstallSection): void {
  let inside = false;
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n')) {
    const trimmed = line.trim();
    if (trimmed.startsWith('[')) inside = trimmed === '[Install]';
    if (!inside || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const equals = trimmed.indexOf('=');
    const words = trimmed.slice(equals + 1).trim().split(/\s+/).filter((word) => word !== '');
    switch (trimmed.slice(0, Math.max(0, equals)).trim()) {
      case 'WantedBy': section.wantedBy.push(...words); break;
      case 'RequiredBy': section.requiredBy.push(...words); break;
      case 'UpheldBy': section.upheldBy.push(...words); break;
      case 'Alias': section.alias.push(...words); break;
      case 'Also': section.also.push(...words); break;
      case 'DefaultInstance': section.defaultInstance = words[0] ?? null; break;
      default: break;
    }
  }
}

function splitUnit(unit: string): { template: string | null; instance: string; suffix: string } {
  const dot = unit.lastIndexOf('.');
  const at = unit.indexOf('@');
  if (at < 0 || at > dot) return { template: null, instance: '', suffix: unit.slice(dot + 1) };
  return { template: unit.slice(0, at), instance: unit.slice(at + 1, dot), suffix: unit.slice(dot + 1) };
}

/** The specifiers that make sense in an [Install] section. */
function expand(text: string, unit: string): string {
  const { template, instance } = splitUnit(unit);
  const prefix = template ?? unit.slice(0, unit.lastIndexOf('.'));
  return text.replaceAll(/%([%iInNpj])/g, (_, letter: string) => ({ '%': '%', i: instance, I: instance, n: unit, N: unit.slice(0, unit.lastIndexOf('.')), p: prefix, j: prefix.split('-').at(-1) ?? '' })[letter] ?? '');
}
