/** First 12 hex digits of an id, without its algorithm ("sha256:…"). */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  return (colon >= 0 ? id.slice(colon + 1) : id).slice(0, 12);
}

/** Cuts a text to `width` characters, the last of them "…" when something was cut. */
export function ellipsis(text: string, width: number): string {
  if (width <= 0) return '';
  const characters = [...text];
  if (characters.length <= width) return text;
  if (width === 1) return characters[0] ?? '';
  return `${characters.slice(0, width - 1).join('')}…`;
}

/** Upper-cases the first letter of every word, as Go's strings.Title does. */
export function titleCase(text: string): string {
  return text.replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase());
}
