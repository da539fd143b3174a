/** Order of two versions of Debian packages (deb-version(7)): the epoch, then what the project calls it, then Debian's revision. */
export function compareDebianVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return left.epoch - right.epoch || compareParts(left.upstream, right.upstream) || compareParts(left.revision, right.revision);
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(version.trim()) ?? [];
  const dash = rest.lastIndexOf('-');
  return { epoch: Number(epoch), upstream: dash < 0 ? rest : rest.slice(0, dash), revision: dash < 0 ? '' : rest.slice(dash + 1) };
}

/** In turns what is no digits, character by character, and digits, as numbers. */
function compareParts(a: string, b: string): number {
  for (let [left, right] = [a, b]; left !== '' || right !== ''; ) {
    const [textLeft, textRight] = [/^\D*/.exec(left)?.[0] ?? '', /^\D*/.exec(right)?.[0] ?? ''];
    const text = compareText(textLeft, textRight);
    if (text !== 0) return text;
    [left, right] = [left.slice(textLeft.length), right.slice(textRight.length)];
    const [numberLeft, numberRight] = [/^\d*/.exec(left)?.[0] ?? '', /^\d*/.exec(right)?.[0] ?? ''];
    const [x, y] = [numberLeft.replace(/^0+/, ''), numberRight.replace(/^0+/, '')];
    if (x !== y) return x.length - y.length || (x < y ? -1 : 1);
    [left, right] = [left.slice(numberLeft.length), right.slice(numberRight.length)];
  }
  return 0;
}

function compareText(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = rank(a[at]) - rank(b[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `~` sorts before the end, letters before everything else. */
function rank(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
