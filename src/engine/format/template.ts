import { headerFunctions, templateFunctionNames, templateFunctions } from './template-functions.ts';
import { parseTemplate } from './template-parser.ts';
import { renderTemplate, type RenderOptions } from './template-run.ts';

export interface CompiledTemplate {
  render(data: unknown, options?: RenderOptions): string;
  /** The header line of a table: `titles` maps field names to column titles. */
  renderHeader(titles: Readonly<Record<string, unknown>>): string;
}

/** Compiles a Go template (the subset in docs/engine/cli.md); throws TemplateError. */
export function compileTemplate(source: string): CompiledTemplate {
  const template = parseTemplate(source, templateFunctionNames);
  return {
    render: (data, options) => renderTemplate(template, data, templateFunctions, options),
    renderHeader: (titles) => renderTemplate(template, titles, headerFunctions),
  };
}
