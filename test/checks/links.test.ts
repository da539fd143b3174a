import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import { execaSync } from 'execa';
import { expect, test } from 'vitest';

const home = new URL('../..', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(home, path), 'utf8').replace(/^```[^]*?^```/gm, '');

/** As the sites that show Markdown make them of headings. */
const anchors = (path: string): string[] =>
  [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );

test('links between the documents lead somewhere, to a heading too', () => {
  const { stdout } = execaSync('find', ['.', '-name', '*.md', '-not', '-path', '*/node_modules/*', '-not', '-path', './out/*', '-printf', '%P\\n'], { cwd: home });
  const documents = stdout.split('\n');
  let seen = 0;
  const dead = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
      if (/^[a-z]+:/.test(link)) return [];
      seen += 1;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? document : normalize(join(dirname(document), file));
      const there = existsSync(join(home, target)) && (anchor === undefined || !target.endsWith('.md') || anchors(target).includes(anchor));
      return there ? [] : [`${document}: ${link}`];
    }),
  );
  expect(dead).toEqual([]);
  expect(seen).toBeGreaterThan(50);
});
