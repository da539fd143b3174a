/** --filter values ("name=value") as the API takes them: {"name":{"value":true}}. Undefined without any. */
export function filterQuery(filters: readonly string[]): string | undefined {
  const table: Record<string, Record<string, boolean>> = {};
  for (const filter of filters) {
    if (filter === '') continue;
    const equals = filter.indexOf('=');
    const name = filter.slice(0, equals).trim().toLowerCase();
    (table[name] ??= {})[filter.slice(equals + 1).trim()] = true;
  }
  return Object.keys(table).length === 0 ? undefined : JSON.stringify(table);
}
