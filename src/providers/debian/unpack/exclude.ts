import picomatch from 'picomatch';

/** Whether a packaged file (path without a leading slash) stays out of the image. */
export type Excluded = (path: string) => boolean;

/** Globs from `/`, `**` crosses folders; the last one that matches decides, one with a leading `!` keeps. */
export function excludedBy(globs: string[]): Excluded {
  const rules = globs.map((glob) => {
    const keep = glob.startsWith('!');
    const pattern = keep ? glob.slice(1) : glob;
    // A plain beginning lets most rules be refused without a regular expression.
    const beginning = /^[^*?[\]{}()!+@\\]*/.exec(pattern)?.[0] ?? '';
    return { keep, beginning: beginning === pattern ? pattern : beginning.slice(0, beginning.lastIndexOf('/') + 1), matches: picomatch(pattern, { dot: true, nonegate: true }) };
  });
  return (path) => {
    const full = `/${path}`;
    for (let index = rules.length - 1; index >= 0; index -= 1) {
      const rule = rules[index];
      if (rule !== undefined && (full.startsWith(rule.beginning) || `${full}/` === rule.beginning) && rule.matches(full)) return !rule.keep;
    }
    return false;
  };
}
