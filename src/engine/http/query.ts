/** Query parameters, first value of each name winning as in Go's `Get`; a malformed escape stays as it is. */
export interface Query {
  get(name: string): string | undefined;
  all(name: string): string[];
  /** Docker's booleans: missing, '', '0', 'no', 'false' and 'none' are false. */
  flag(name: string, whenMissing?: boolean): boolean;
  /** A whole number, or undefined when missing or empty. NaN for anything else. */
  integer(name: string): number | undefined;
}

export function parseQuery(query: string): Query {
  const values = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    const list = values.get(name);
    if (list === undefined) values.set(name, [value]);
    else list.push(value);
  }
  const get = (name: string): string | undefined => values.get(name)?.[0];
  return {
    get,
    all: (name) => values.get(name) ?? [],
    flag(name, whenMissing = false) {
      const value = get(name)?.trim().toLowerCase();
      if (value === undefined) return whenMissing;
      return !['', '0', 'no', 'false', 'none'].includes(value);
    },
    integer(name) {
      const value = get(name);
      if (value === undefined || value === '') return undefined;
      return /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    },
  };
}

export function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
