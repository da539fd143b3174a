/** A template that cannot be parsed or run; the message is worded as Go's text/template words it. */
export class TemplateError extends Error {
  override name = 'TemplateError';
}
