import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { writeFileAtomic } from '../../cache/index.ts';
import { builtFile } from '../build/built-artifact.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { lockOptions } from './image.ts';

export const sbom: Command = {
  name: 'sbom',
  usage: '--machine <machine>',
  summary: 'Print the bill of materials of an image (CycloneDX 1.6)',
  details: '\nEvery package with its version, source package, licences and hash, as it stands beside the image (sbom.cdx.json). The image is built first where it has to be.',
  options: {
    ...machineOption,
    ...lockOptions,
    output: { type: 'string', short: 'o', value: 'file', help: 'where it goes, instead of standard output' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags, cwd, out } = invocation;
    const project = await openProject(invocation);
    const path = await builtFile(invocation, new Session(invocation, project), oneMachine(invocation, project), 'sbom.cdx.json');
    const text = await readFile(path, 'utf8');
    const output = flags.text('output');
    if (output === undefined) {
      // One line, like every result for machines.
      out(flags.on('json') ? `${JSON.stringify(JSON.parse(text))}\n` : text);
      return 0;
    }
    const file = resolve(cwd, output);
    await writeFileAtomic(file, text);
    out(flags.on('json') ? `${JSON.stringify({ type: 'sbom', file })}\n` : `${file}\n`);
    return 0;
  },
};
