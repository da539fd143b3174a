import { escapeHtml, goJson, jsonText } from './go-json.ts';
import { TemplateError } from './template-error.ts';
import { layoutTable } from './table.ts';
import { compileTemplate, type CompiledTemplate } from './template.ts';

export interface RowFormat {
  /** What --format said: '', 'table', 'table TEMPLATE', 'json', 'raw' or a template. */
  readonly format: string;
  /** Template of the plain table, such as `{{.ID}}\t{{.Name}}`. */
  readonly defaultTable: string;
  /** Template used by --quiet, null when that is not asked for. */
  readonly quiet?: string | null;
  /** Column titles by field name, also for fields that the plain table leaves out. */
  readonly titles: Readonly<Record<string, string>>;
}

export type Row = Readonly<Record<string, unknown>>;

/** Text of a listing: each row's fields are values, or functions with arguments (methods such as `.Label "x"`). */
export function formatRows(rows: readonly Row[], spec: RowFormat): string {
  const format = spec.format.trim();
  if (spec.quiet && (format === '' || format === 'table')) return lines(rows, spec.quiet);
  if (format === 'json') return rows.map((row) => `${rowJson(row)}\n`).join('');
  const table = format === '' || /^table(\s|$)/.test(format);
  if (!table) return lines(rows, unescape(format));
  const body = unescape(format.replace(/^table\s*/, '')).trim() || spec.defaultTable;
  const template = compile(body);
  const title = template.renderHeader(headerRow(spec.titles));
  const text = [title, ...rows.map((row) => renderRow(template, row))];
  return layoutTable(text.flatMap((line) => line.split('\n'))).map((line) => `${line}\n`).join('');
}

function lines(rows: readonly Row[], source: string): string {
  const template = compile(source);
  return rows.map((row) => `${renderRow(template, row)}\n`).join('');
}

function compile(source: string): CompiledTemplate {
  return explained('failed to parse template', () => compileTemplate(source));
}

function renderRow(template: CompiledTemplate, row: Row): string {
  return explained('failed to execute template', () => template.render(withJson(row)));
}

function explained<T>(context: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TemplateError) throw new TemplateError(`${context}: ${error.message}`, { cause: error });
    throw error;
  }
}

function rowJson(row: Row): string {
  return escapeHtml(goJson(rowObject(row), true));
}

function unescape(format: string): string {
  return format.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

/** The row without its methods that need arguments, which is what `json` shows. */
function rowObject(row: Row): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(row).sort()) {
    const value = row[key];
    if (typeof value === 'function') {
      if (value.length === 0) out[key] = value();
    } else {
      out[key] = value;
    }
  }
  return out;
}

/** `{{json .}}` must not show methods: the row brings its own text. */
function withJson(row: Row): Row {
  return Object.defineProperty({ ...row }, jsonText, { get: () => rowJson(row), enumerable: false });
}

function headerRow(titles: Readonly<Record<string, string>>): Row {
  return { ...titles, Label: (name: unknown) => labelTitle(String(name)) };
}

/** Title of a `{{.Label "com.example.rack_id"}}` column: "rack id". */
function labelTitle(name: string): string {
  return name.split('.').at(-1)?.replaceAll(/[-_]/g, ' ') ?? name;
}
