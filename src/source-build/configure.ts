import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OsbuildError, type StepContext } from '../model/index.ts';
import { declaredNames, strayLines, unmetSettings, type Unmet } from './settings.ts';

type Context = Pick<StepContext<'source/kernel' | 'source/u-boot'>, 'args' | 'inputs' | 'scratch' | 'tool'>;

export interface Fragment {
  name: string;
  text: string;
}

/** The task's fragments in their order. @throws OSB_CONFIG_INVALID for a line that Kconfig would silently pass over */
export async function readFragments(context: Context): Promise<Fragment[]> {
  const fragments: Fragment[] = [];
  for (const [index, name] of context.args.fragments.entries()) {
    const [file] = context.inputs(`fragments:${index}`).values();
    if (file === undefined) throw new Error(`the fragment ${name} is not among the inputs`);
    const text = await readFile(file, 'utf8');
    const [stray] = strayLines(text);
    if (stray !== undefined) {
      throw new OsbuildError('OSB_CONFIG_INVALID', `${name}:${stray.line}: "${stray.text}" is not a setting.`, { hint: 'CONFIG_NAME=y, =m, =42, ="text", or "# CONFIG_NAME is not set"' });
    }
    fragments.push({ name, text });
  }
  return fragments;
}

/** Writes the fragments, one after the other, where a build script finds them as /tmp/fragments.config. */
export async function writeFragments(context: Context, fragments: readonly Fragment[]): Promise<void> {
  await writeFile(join(context.scratch, 'fragments.config'), fragments.map(({ text }) => `${text.trimEnd()}\n`).join(''));
}

/**
 * Holds the configuration that came out against what was asked for.
 * @param source folder of the sources inside the tools tree, where names are looked up for the message
 * @throws OSB_KERNEL_INCOMPLETE naming every setting that was not taken up
 */
export async function checkSettings(context: Context, fragments: readonly Fragment[], config: string, source: string): Promise<void> {
  const unmet = unmetSettings(fragments, config);
  if (unmet.length === 0) return;
  const known = new Set(declaredNames(await context.tool({ argv: ['sh', '-c', `grep -rhE '^[[:space:]]*(menu)?config[[:space:]]' --include='Kconfig*' ${source}`] })));
  throw notTakenUp(unmet, known);
}

export function notTakenUp(unmet: readonly Unmet[], known: ReadonlySet<string>): OsbuildError {
  const said = unmet.map(({ name, wanted, got, fragment }) => `${name}=${wanted} of ${fragment} (${known.has(name) ? `it is ${got}` : 'there is no such setting'})`);
  const unknown = unmet.filter(({ name, wanted }) => !known.has(name) && wanted !== 'n');
  return new OsbuildError('OSB_KERNEL_INCOMPLETE', `The configuration did not take up ${said.join(', ')}.`, {
    hint: unknown.length > 0 ? 'Names of settings change between versions: look for it in the Kconfig files.' : 'What it depends on is not set, or something else selects it: the Kconfig file that declares it says what.',
    details: { unmet },
  });
}
