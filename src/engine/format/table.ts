const defaultColumnWidth = 10;
const columnGap = 3;

function textWidth(text: string): number {
  return [...text].length;
}

/**
 * Lines of tab-separated cells, aligned in columns. A column belongs to neighbouring lines: a line with fewer cells
 * ends it, and the last cell of a line is never padded.
 */
export function layoutTable(lines: readonly string[], minimumWidth = defaultColumnWidth): string[] {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[][] = rows.map((row) => row.map(() => 0));
  alignColumn(rows, widths, { from: 0, to: rows.length, column: 0, minimumWidth });
  return rows.map((row, r) =>
    row.map((cell, c) => (c === row.length - 1 ? cell : cell + ' '.repeat((widths[r]?.[c] ?? 0) - textWidth(cell)))).join(''));
}

function alignColumn(rows: readonly string[][], widths: number[][], block: { from: number; to: number; column: number; minimumWidth: number }): void {
  const { from, to, column, minimumWidth } = block;
  let start = from;
  while (start < to) {
    const hasCell = (index: number) => (rows[index]?.length ?? 0) > column + 1;
    if (!hasCell(start)) {
      start++;
      continue;
    }
    let end = start;
    let width = minimumWidth;
    for (; end < to && hasCell(end); end++) width = Math.max(width, textWidth(rows[end]?.[column] ?? '') + columnGap);
    for (let r = start; r < end; r++) {
      const row = widths[r];
      if (row) row[column] = width;
    }
    alignColumn(rows, widths, { from: start, to: end, column: column + 1, minimumWidth });
    start = end;
  }
}
