import { messageOf, systemErrorCode } from '../../error.ts';
import { sleep, type System } from '../../ports/index.ts';
import type { DeviceConfig } from './device-config.ts';
import { engineSettings, type CheckSettings } from './engine-settings.ts';
import { MAX_BYTES, readConfig, type Reading } from './document.ts';
import { complaintText } from './read.ts';
import { RENDERERS, RUN, UPDATE_SETTINGS, type Facts, type Output, type Renderer } from './render.ts';
import { carryOut, textOf, type Step } from './steps.ts';

export type ConfigSystem = Pick<System, 'files' | 'processes' | 'clock'>;

export const BOOT_CONFIG = '/mnt/boot/config.json';
export const GOOD_CONFIG = '/etc/minke/config.json';
/** Written by hand, on the state partition. */
const DAEMON_JSON = '/etc/minke/daemon.json';
/** In images that were built for development. */
const DEVELOPMENT = '/usr/lib/minke/development';
const STATE = `${RUN}/applied.json`;
const LOCK_PATIENCE_MS = 60_000;

export interface Applied {
  complaints: string[];
  /** Concerns whose files changed. */
  changed: string[];
  /** What could not be done. */
  failures: string[];
}

/** Where the last run got to. */
interface State {
  /** Files by concern. */
  files: Record<string, string[]>;
  /** Concerns whose files may have changed without their steps having been done. */
  pending: string[];
}

/**
 * Makes the device follow config.json: files below /run, then what has to be done for them to count, for the concerns that changed and for no
 * others. Cut off anywhere it is finished by the next run. Fails only where not even /run takes files.
 */
export async function applyConfig(system: ConfigSystem, check: CheckSettings): Promise<Applied> {
  const { files } = system;
  files.mkdirs(RUN);
  files.mkdirs(`${RUN}/ssh`, 0o700);
  const lock = await takeLock(system);
  try {
    return await applyLocked(system, check);
  } finally {
    files.close(lock);
  }
}

async function applyLocked(system: ConfigSystem, check: CheckSettings): Promise<Applied> {
  const { files } = system;
  const goodText = textOf(files, GOOD_CONFIG, MAX_BYTES);
  const reading = readConfig(bootConfig(files), goodText);
  const failures: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(`${what}: ${messageOf(error)}`);
    }
  };
  const { text: settings, complaints: ofSettings } = engineSettings(reading.config, textOf(files, DAEMON_JSON, MAX_BYTES), check);
  const complaints = [...reading.complaints.map(complaintText), ...ofSettings];
  const facts: Facts = { machineId: textOf(files, '/etc/machine-id')?.trim() ?? '', developmentImage: files.exists(DEVELOPMENT), asksForKeys: reading.asksForKeys, engineSettings: settings };
  await files.replaceFile(`${RUN}/complaints`, complaints.map((line) => `${line}\n`).join(''));
  const text = `${JSON.stringify(reading.config)}\n`;
  // A copy that an older release made may be there for everybody to read.
  if (text !== goodText || (files.stat(GOOD_CONFIG).mode & 0o077) !== 0) await attempt(`the configuration could not be saved to ${GOOD_CONFIG}`, () => files.replaceFile(GOOD_CONFIG, text, 0o600));

  const before = readState(textOf(files, STATE));
  const wanted = RENDERERS.map((renderer) => ({ renderer, outputs: renderer.outputs(reading.config, facts) }));
  const plan = wanted.map(({ renderer, outputs }) => ({ renderer, outputs, gone: (before?.files[renderer.name] ?? []).filter((path) => !outputs.some((output) => output.path === path)) }));
  const changed = plan.filter(({ renderer, outputs, gone }) => gone.length > 0 || before?.pending.includes(renderer.name) === true || outputs.some((output) => textOf(files, output.path) !== output.text));
  const present = Object.fromEntries(plan.map(({ renderer, outputs }) => [renderer.name, outputs.map(({ path }) => path)]));
  const either = Object.fromEntries(plan.map(({ renderer, outputs, gone }) => [renderer.name, [...outputs.map(({ path }) => path), ...gone]]));
  await writeState(files, { files: either, pending: changed.map(({ renderer }) => renderer.name) });
  for (const { renderer, outputs, gone } of changed) {
    await attempt(renderer.name, async () => {
      for (const output of outputs) await put(files, output);
      for (const path of gone) remove(files, path);
    });
  }
  for (const step of stepsFor(changed, before === undefined)) await attempt(describe(step), () => carryOut(system, step));
  await writeState(files, { files: present, pending: [] });
  return { complaints, changed: changed.map(({ renderer }) => renderer.name), failures };
}

/** At the start of the system services have not read anything yet, but for those that run from the beginning. Each step once. */
export function stepsFor(changed: readonly { renderer: Renderer; outputs: readonly Output[] }[], atStart: boolean): Step[] {
  const steps = changed.flatMap(({ renderer: { early, changed: later }, outputs }) => (atStart ? (outputs.length > 0 ? early : []) : later));
  return [...new Map(steps.map((step) => [JSON.stringify(step), step])).values()];
}

/** What was applied of os.updates; nothing where nothing was, or cannot be read. */
export function updateSettings(files: ConfigSystem['files']): NonNullable<NonNullable<DeviceConfig['os']>['updates']> {
  try {
    return JSON.parse(files.readText(UPDATE_SETTINGS)) as object;
  } catch {
    return {};
  }
}

/** What counts now, whether it has been applied or not. */
export function presentConfig(files: ConfigSystem['files']): Reading {
  return readConfig(bootConfig(files), textOf(files, GOOD_CONFIG, MAX_BYTES));
}

/** A file that is too large, or no file, is one that cannot be read: the last good copy serves. */
function bootConfig(files: ConfigSystem['files']): string | undefined {
  try {
    return files.readText(BOOT_CONFIG, MAX_BYTES);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return systemErrorCode(error) === 'EFBIG' ? ' '.repeat(MAX_BYTES + 1) : undefined;
  }
}

async function put(files: ConfigSystem['files'], { path, text, permissions = 0o644 }: Output): Promise<void> {
  files.mkdirs(path.slice(0, path.lastIndexOf('/')));
  await files.replaceFile(path, text, permissions);
}

function remove(files: ConfigSystem['files'], path: string): void {
  try {
    files.unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

const describe = (step: Step): string => (step.do === 'run' ? step.argv.join(' ') : step.do === 'restart' || step.do === 'reload' ? `${step.do} ${step.unit}` : step.do);

async function writeState(files: ConfigSystem['files'], state: State): Promise<void> {
  await files.replaceFile(STATE, `${JSON.stringify(state)}\n`);
}

function readState(text: string | undefined): State | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as State;
  } catch {
    return { files: {}, pending: RENDERERS.map(({ name }) => name) };
  }
}

/** A change of the file and an order of a person may come at once. */
async function takeLock({ files, clock }: ConfigSystem): Promise<number> {
  const lock = files.open(`${RUN}/lock`, 'append', 0o600);
  for (const until = clock.monotonicMs() + LOCK_PATIENCE_MS; !files.tryLock(lock); ) {
    // Whoever has had it for so long is stuck; two at once do no harm beyond doing things twice.
    if (clock.monotonicMs() > until) break;
    await sleep(clock, 100);
  }
  return lock;
}
