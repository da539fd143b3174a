import type { StepContext } from '../model/index.ts';

/** Makes of the lines of kbuild (`  CC [M]  drivers/net/x.o`) a count of what is done; kbuild does not say how much there is. */
export function countObjects(context: Pick<StepContext, 'progress'>): (line: string) => void {
  let done = 0;
  return (line) => {
    const path = builtObject(line);
    if (path === null) return;
    done += 1;
    context.progress(done, null, 'items', path);
  };
}

/** What a line of kbuild says was compiled; null for any other line. */
export function builtObject(line: string): string | null {
  return /^ {2}(?:CC|AS|HOSTCC|DTC)(?: \[M\])? +(\S+)$/.exec(line)?.[1] ?? null;
}
