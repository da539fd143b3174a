import type { PackageControl } from '../unpack/deb.ts';
import { leftoverCommands } from './script-classes.ts';

/** A maintainer script that does something which neither the finish step nor a recipe does. */
export interface Uncovered {
  package: string;
  script: string;
  /** The first commands that no known class explains. */
  lines: string[];
}

/** Scripts that matter for an image that is made once: those of removal and of asking questions never run. */
const installScripts = ['preinst', 'postinst'];

/**
 * Packages whose scripts are not covered.
 * @param covered packages that recipes have `finish` entries for
 */
export function uncoveredScripts(control: PackageControl[], covered: ReadonlySet<string>): Uncovered[] {
  return control.flatMap((item) => {
    if (covered.has(item.name)) return [];
    return installScripts.flatMap((script) => {
      const text = item.scripts[script];
      if (text === undefined) return [];
      const lines = leftoverCommands(text);
      return lines.length === 0 ? [] : [{ package: item.name, script, lines: lines.slice(0, 5) }];
    });
  });
}
