const REASONS: Record<number, string> = {
  101: 'UPGRADED',
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

export type Headers = Readonly<Record<string, string>>;

/** Status line and fields, with the empty line that ends them. Line breaks in values are removed. */
export function formatResponseHead(status: number, headers: Headers): string {
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value.replaceAll(/[\r\n]+/g, ' ')}\r\n`;
  return `${head}\r\n`;
}

export function hasNoBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}
