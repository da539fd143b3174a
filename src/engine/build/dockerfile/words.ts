/** Words between blanks; quotes hold blanks together and stay, as escapes do. */
export function splitWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let word = '';
  let inside = false;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote === '' && /\s/.test(char)) {
      if (inside) words.push(word);
      [word, inside] = ['', false];
      continue;
    }
    inside = true;
    word += char;
    if (char === escape && quote !== "'" && at + 1 < text.length) {
      at += 1;
      word += text.charAt(at);
    } else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
  }
  if (inside) words.push(word);
  return words;
}

/** A JSON list of strings; undefined for anything else, which is then taken as text. */
export function jsonList(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}
