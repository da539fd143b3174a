import { dockerfileError } from './dockerfile-error.ts';
import { heredocsOf, type Heredoc } from './heredoc.ts';

/** An instruction as it stands, its lines put together. */
export interface LogicalLine {
  text: string;
  /** Both from 1. */
  line: number;
  endLine: number;
  heredocs: Heredoc[];
}

export interface SourceLines {
  escape: '\\' | '`';
  lines: LogicalLine[];
  warnings: string[];
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const DIRECTIVES = ['syntax', 'escape', 'check'];
const COMMENT = /^\s*#/;
const TAKES_HEREDOCS = /^\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s/i;
const LENGTH_LIMIT = 4 * 1024 * 1024;

/** Takes comments away, joins continued lines and cuts here-documents out. Throws 'invalid'. */
export function logicalLines(source: string): SourceLines {
  if (source.length > LENGTH_LIMIT) throw dockerfileError(1, `the file is longer than ${LENGTH_LIMIT / 1024 / 1024} MB`);
  const physical = source.replace(/^\uFEFF/, '').split(/\r?\n/);
  const { escape, first } = readDirectives(physical);
  const mark = escape === '`' ? '`' : '\\\\';
  const continued = new RegExp(`^(|.*[^${mark}])${mark}[ \\t]*$`);
  const lines: LogicalLine[] = [];
  const warnings: string[] = [];
  for (let at = first; at < physical.length; at += 1) {
    const start = physical[at] ?? '';
    if (COMMENT.test(start) || start.trim() === '') continue;
    const line = at + 1;
    let text = '';
    let part = start.trimStart();
    let emptyInside = false;
    for (;;) {
      const more = continued.exec(part);
      text += more === null ? part : (more[1] ?? '');
      if (more === null) break;
      for (at += 1; at < physical.length; at += 1) {
        const next = physical[at] ?? '';
        if (next.trim() === '') emptyInside = true;
        else if (!COMMENT.test(next)) break;
      }
      if (at >= physical.length) break;
      part = physical[at] ?? '';
    }
    if (emptyInside && at < physical.length) warnings.push(`[WARNING]: Empty continuation line found in: ${text.trim()}`);
    const heredocs: Heredoc[] = [];
    if (TAKES_HEREDOCS.test(text) && text.includes('<<')) {
      for (const heredoc of heredocsOf(text, escape)) {
        const body: string[] = [];
        for (at += 1; ; at += 1) {
          const next = physical[at];
          if (next === undefined) throw dockerfileError(line, `unterminated heredoc: there is no line ${JSON.stringify(heredoc.name)} after it`);
          const shown = heredoc.chomp ? next.replace(/^\t+/, '') : next;
          if (shown === heredoc.name) break;
          body.push(`${shown}\n`);
        }
        heredocs.push({ ...heredoc, content: body.join('') });
      }
    }
    lines.push({ text: text.trimEnd(), line, endLine: Math.min(at + 1, physical.length), heredocs });
  }
  return { escape, lines, warnings };
}

/** `# escape=…` and its like, in front of everything else. */
function readDirectives(physical: readonly string[]): { escape: '\\' | '`'; first: number } {
  const seen = new Map<string, string>();
  let first = 0;
  for (; first < physical.length; first += 1) {
    const match = DIRECTIVE.exec((physical[first] ?? '').trim());
    const name = match?.[1]?.toLowerCase() ?? '';
    if (!DIRECTIVES.includes(name)) break;
    if (seen.has(name)) throw dockerfileError(first + 1, `only one ${name} parser directive can be used`);
    seen.set(name, match?.[2] ?? '');
    if (name === 'escape' && !['\\', '`'].includes(match?.[2] ?? '')) throw dockerfileError(first + 1, `invalid escape token '${match?.[2] ?? ''}' does not match \` or \\`);
  }
  return { escape: seen.get('escape') === '`' ? '`' : '\\', first };
}
