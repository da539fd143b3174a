import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runBitbake } from '../../../src/providers/yocto/bitbake/run.ts';
import type { BuildState } from '../../../src/providers/yocto/bitbake/progress.ts';
import { assignment } from '../../../src/providers/yocto/conf/assignment.ts';
import { bblayersConf } from '../../../src/providers/yocto/conf/bblayers.ts';
import { bitbake, core } from './checkouts.ts';
import { probeSettings, writeProbeLayer } from './probe-layer.ts';
import { home } from './support.ts';

const watch = join(home, 'layers/meta-minke/lib/minke/watch.py');

/** What bitbake is asked for, by the name of the recording; `shared` is `built` again, with what that left in shared state alone. */
export const scenarios = {
  built: { target: 'probe-good', planOnly: false },
  shared: { target: 'probe-good', planOnly: false },
  failed: { target: 'probe-bad', planOnly: false },
  planned: { target: 'probe-good', planOnly: true },
  'no-provider': { target: 'probe-nothing', planOnly: false },
  unreadable: { target: 'probe-good', planOnly: false },
} as const;
export type Scenario = keyof typeof scenarios;
export const names = Object.keys(scenarios) as Scenario[];

/** The lines that watch.py printed; `/build`, `/bitbake` and `/openembedded-core` stand for the folders that there were. */
export const recordingOf = (name: Scenario): string => join(import.meta.dirname, 'recorded', `${name}.ndjson`);

/** What runBitbake made of a stream of lines. */
export interface Followed {
  state: BuildState | null;
  error: { code: string; message: string } | null;
  log: string[];
  progress: Array<{ done: number; total: number | null; detail: string }>;
  notices: string[];
}

type Folders = Parameters<typeof runBitbake>[0]['folders'];
async function follow(name: Scenario, folders: Folders, script: string): Promise<Followed> {
  const followed: Followed = { state: null, error: null, log: [], progress: [], notices: [] };
  const { target, planOnly } = scenarios[name];
  followed.state = await runBitbake({
    folders,
    targets: [target],
    planOnly,
    watch: script,
    uid: process.getuid?.() ?? 0,
    hostEnvironment: { PATH: process.env['PATH'] ?? '' },
    signal: new AbortController().signal,
    log: (line) => void followed.log.push(line),
    progress: (done, total, _, detail = '') => void followed.progress.push({ done, total, detail }),
    notice: (_, __, message) => void followed.notices.push(message),
  }).catch(({ code, message }: { code: string; message: string }) => {
    followed.error = { code, message };
    return null;
  });
  return followed;
}

/** Follows a recording: in the place of namespace and Python are scripts of `folder` that print it and end as watch.py did. */
export async function replay(name: Scenario, folder: string): Promise<Followed> {
  const program = (path: string, text: string): void => writeFileSync(join(folder, 'bin', path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  program('unshare', 'while [ "$1" != -- ]; do shift; done\nshift\nexec "$@"');
  const ended = /"event": "end", "ok": true/.test(readFileSync(recordingOf(name), 'utf8')) ? 0 : 1;
  program('python3', `cat "$1"\nexit ${ended}`);
  return follow(name, { bitbake: folder, core: folder, build: folder, home: folder }, recordingOf(name));
}

/** Has real bitbake do it, in a new folder; what was followed, and the lines to record, both without the names of this machine's folders. */
export async function record(name: Scenario, build: string): Promise<{ followed: Followed; recording: string }> {
  const write = (path: string, text: string): void => {
    mkdirSync(join(build, path, '..'), { recursive: true });
    writeFileSync(join(build, path), text);
  };
  writeProbeLayer(join(build, 'layer'), {
    // What is deployed goes through shared state.
    'probe-good': 'SSTATE_SKIP_CREATION = "0"\ndo_probe() {\n\techo built\n}\n',
    'probe-bad': 'do_probe() {\n\tbbwarn this is odd\n\techo the reason is here\n\texit 3\n}\n',
  });
  write('conf/bblayers.conf', bblayersConf([join(core, 'meta'), join(build, 'layer')]));
  const settings = Object.entries(probeSettings).map(([key, value]) => assignment(key, value)).join('');
  write('conf/local.conf', `MACHINE = "qemuarm64"\n${settings}BB_NUMBER_THREADS = "2"\nTMPDIR = "\${TOPDIR}/tmp"\nTCLIBCAPPEND = ""\nSSTATE_DIR = "\${TOPDIR}/sstate"\n`);
  const lines = join(build, 'lines');
  // Standard input, the leash, is handed on.
  write('tee.py', `import subprocess, sys
child = subprocess.Popen([sys.executable, ${JSON.stringify(watch)}, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
with open(${JSON.stringify(lines)}, "w") as recording:
    for line in child.stdout:
        recording.write(line)
        print(line, end="", flush=True)
sys.exit(child.wait())
`);
  mkdirSync(join(build, 'home'), { recursive: true });
  const folders = { bitbake, core, build, home: join(build, 'home') };
  if (name === 'shared') {
    const first = await follow(name, folders, watch);
    if (first.error !== null) throw new Error(`${first.error.message}\n${first.log.join('\n')}`);
    rmSync(join(build, 'tmp'), { recursive: true });
  }
  if (name === 'unreadable') write('conf/auto.conf', 'require conf/nowhere-to-be-found.inc\n');
  const followed = await follow(name, folders, join(build, 'tee.py'));
  const known = (text: string): string => text.replaceAll(build, '/build').replaceAll(core, '/openembedded-core').replaceAll(bitbake, '/bitbake');
  return { followed: JSON.parse(known(JSON.stringify(followed))) as Followed, recording: known(readFileSync(lines, 'utf8')) };
}
