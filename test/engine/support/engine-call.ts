import { request } from 'node:http';

export interface Answer {
  /** 0: the connection broke before there was one, or in the middle of it. */
  status: number;
  body: string;
}

/** One request to an engine's socket. Never rejects: who kills the engine meanwhile wants to go on. */
export function callEngine(socketPath: string, method: string, path: string, body?: Buffer | object): Promise<Answer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const end = (status: number): void => resolve({ status, body: Buffer.concat(parts).toString() });
    const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const call = request({ socketPath, method, path, agent: false, headers: { 'Content-Type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json', ...(content === undefined ? {} : { 'Content-Length': content.length }) } }, (response) => {
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => end(response.complete ? (response.statusCode ?? 0) : 0));
      response.on('error', () => end(0));
      response.on('close', () => end(0));
    });
    call.on('error', () => end(0));
    call.end(content);
  });
}

/** The body of a request that has to succeed, also as its stream tells it. */
export async function callGood(socketPath: string, method: string, path: string, body?: Buffer | object): Promise<string> {
  const answer = await callEngine(socketPath, method, path, body);
  const failure = failureOf(answer);
  if (failure !== undefined) throw new Error(`${method} ${path}: ${failure}`);
  return answer.body;
}

/** What went wrong with a request; undefined when nothing did. */
export function failureOf({ status, body }: Answer): string | undefined {
  if (status < 200 || status >= 300) return `status ${status}: ${body.slice(0, 500)}`;
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
}
