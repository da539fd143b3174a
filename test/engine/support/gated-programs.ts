import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './lab.ts';

/** A moment in the life of a helper program: 'crun create', 'crun create done', 'conmon', 'nft'. */
export type Gate = string;

/** crun, conmon and nft that stand still at a moment of one's choice, so that something can be killed exactly then. */
export interface GatedPrograms {
  /** Flags for the daemon. */
  readonly flags: readonly string[];
  /** From now on whoever comes there waits. */
  shut(gate: Gate): void;
  /** The process that waits there, once there is one. */
  reached(gate: Gate): Promise<number>;
  open(gate: Gate): void;
}

const PROGRAMS = ['crun', 'conmon', 'nft'];

/** With a verb for crun alone: the others do one thing. */
const SCRIPT = `#!/bin/sh
name=$(basename "$0")
gate=$name
if [ "$name" = crun ]; then
  for word; do case $word in create|start|exec|delete|state|pause|resume|update) gate="crun $word"; break;; esac; done
fi
pass() {
  [ -e "$GATES/at $1" ] || return 0
  echo $$ > "$GATES/at $1.reached"
  while [ -e "$GATES/at $1" ]; do sleep 0.02; done
}
pass "$gate"
[ -e "$GATES/at $gate done" ] || exec "$REAL" "$@"
"$REAL" "$@"
code=$?
pass "$gate done"
exit $code
`;

export function makeGatedPrograms(folder: string): GatedPrograms {
  const gates = join(folder, 'gates');
  mkdirSync(gates);
  const flags = PROGRAMS.flatMap((name) => {
    const real = spawnSync('sh', ['-c', `command -v ${name}`]).stdout.toString().trim();
    const path = join(gates, name);
    writeFileSync(path, SCRIPT.replaceAll('$GATES', gates).replaceAll('$REAL', real));
    chmodSync(path, 0o755);
    return [`--${name}`, path];
  });
  const file = (gate: Gate): string => join(gates, `at ${gate}`);
  return {
    flags,
    shut: (gate) => writeFileSync(file(gate), ''),
    async reached(gate) {
      const note = `${file(gate)}.reached`;
      await waitFor(() => existsSync(note) && readFileSync(note, 'utf8').endsWith('\n'));
      return Number(readFileSync(note, 'utf8'));
    },
    open(gate) {
      for (const path of [file(gate), `${file(gate)}.reached`]) rmSync(path, { force: true });
    },
  };
}
