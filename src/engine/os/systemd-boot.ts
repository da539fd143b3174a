import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import type { BootLoader, LoaderState } from './boot-loader.ts';
import type { BootPartition } from './boot-partition.ts';
import type { Slot } from './slots.ts';
import { keptOption, profileOption } from '../unified-kernel/index.ts';
import { formatVerity, verityParameter } from '../verity/index.ts';

interface Entry {
  file: string;
  slot: Slot;
  /** How often it is to be tried; undefined when it is kept. */
  triesLeft: number | undefined;
  generation: number;
}

const FOLDER = 'loader/entries';
const LOADER_CONF = 'default minke-*\ntimeout 0\neditor no\nconsole-mode keep\n';
/** Tells the system that it is on trial (units of recipes/updates). */
const TRIAL_PARAMETER = 'minke.trial';

/**
 * systemd-boot with entries of the Boot Loader Specification: `minke-b+1.conf` is tried once, which the loader writes down by renaming it to `minke-b+0-1.conf`;
 * without a counter it is kept. Of those that may be started the one with the highest `version` is, which counts up (src/image/systemd-boot.ts).
 */
export function systemdBoot(files: Files, boot: BootPartition): BootLoader {
  const folder = `${boot.path}/${FOLDER}`;
  const entries = (): Entry[] => files.readdir(folder).flatMap(({ name }) => readEntry(name, () => files.readText(`${folder}/${name}`)));
  const remove = (gone: readonly Entry[]): void => gone.forEach(({ file }) => files.unlink(`${folder}/${file}`));
  const newest = (): number => Math.max(0, ...entries().map(({ generation }) => generation));
  return {
    read: () => stateOf(entries()),
    tryNext: (slot, release) =>
      boot.writing(async () => {
        const generation = newest() + 1;
        remove(entries().filter((entry) => entry.slot === slot));
        if (files.readText(`${boot.path}/loader/loader.conf`) !== LOADER_CONF) await boot.put('loader/loader.conf', LOADER_CONF);
        await boot.put(`${FOLDER}/minke-${slot.toLowerCase()}+1.conf`, trialEntry(slot, generation, release));
      }),
    keep: (slot) =>
      boot.writing(async () => {
        const [entry] = entries().filter((one) => one.slot === slot).toSorted((a, b) => b.generation - a.generation);
        if (entry === undefined) throw new EngineError('internal', 'OS_LOADER_STATE', `the boot loader has no entry of slot ${slot}`);
        const generation = entry.generation === newest() ? entry.generation : newest() + 1;
        const text = files.readText(`${folder}/${entry.file}`).replace(/^(version\s+)\d+$/m, `$1${generation}`);
        const file = `minke-${slot.toLowerCase()}.conf`;
        await boot.put(`${FOLDER}/${file}`, withoutTrial(text));
        remove(entries().filter((one) => one.slot === slot && one.file !== file));
      }),
    forget: (slot) => boot.writing(async () => remove(entries().filter((entry) => entry.slot === slot))),
  };
}

/** [entry], or nothing for a file of somebody else. */
export function readEntry(file: string, text: () => string): Entry[] {
  const match = /^minke-([ab])(?:\+(\d+)(?:-\d+)?)?\.conf$/i.exec(file);
  if (match === null) return [];
  const generation = Number(/^version\s+(\d+)\s*$/m.exec(text())?.[1] ?? 0);
  return [{ file, slot: match[1]?.toUpperCase() as Slot, triesLeft: match[2] === undefined ? undefined : Number(match[2]), generation }];
}

function stateOf(entries: readonly Entry[]): LoaderState {
  const kept = entries.filter(({ triesLeft }) => triesLeft === undefined).toSorted((a, b) => b.generation - a.generation)[0];
  if (kept === undefined) throw new EngineError('internal', 'OS_LOADER_STATE', 'the boot loader has no entry of a slot that is kept');
  const next = entries.find(({ triesLeft }) => triesLeft !== undefined && triesLeft > 0)?.slot;
  const tried = entries.find(({ triesLeft }) => triesLeft === 0)?.slot;
  return { kept: kept.slot, ...(next === undefined ? {} : { next }), ...(tried === undefined ? {} : { tried }) };
}

/** As src/image/systemd-boot.ts writes the first slot's, on trial. */
function trialEntry(slot: Slot, generation: number, { os, commandLine, slot: { verity }, unified }: Parameters<BootLoader['tryNext']>[1]): string {
  const tree = verity === undefined ? [] : [`${verityParameter}=${formatVerity(verity)}`];
  const lines = {
    title: `${os.name} ${os.version} (${slot})`,
    'sort-key': 'minke',
    version: String(generation),
    linux: `/${slot}/kernel`,
    ...(unified === undefined ? { initrd: `/${slot}/initrd`, options: [...commandLine, TRIAL_PARAMETER, `minke.slot=${slot}`, ...tree].join(' ') } : { options: profileOption({ slot, trial: true }) }),
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key.padEnd(8)} ${value}\n`)
    .concat(unified === undefined ? [] : tree.map((word) => `# ${word}\n`))
    .join('');
}

/** The entry of a slot that is kept: on trial no more. */
const withoutTrial = (text: string): string =>
  text.replace(/^(options\s+)(.*)$/m, (_, key: string, options: string) => `${key}${keptOption(options.replace(new RegExp(` ${TRIAL_PARAMETER}(?= |$)`), ''))}`);
