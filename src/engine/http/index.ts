// Purpose: HTTP/1.1 over any connection: requests, bodies, streamed answers, and connections that leave HTTP.
// Owns: framing, limits, keep-alive, hijacking.
// Must not: know Docker's API, or where connections come from.
export { collect, readBody, type Body } from './body.ts';
export type { Exchange, Hijacked, ResponseStream } from './exchange.ts';
export { HttpError } from './http-error.ts';
export { createInput, type Input } from './input.ts';
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
export { decode, parseQuery, type Query } from './query.ts';
export { bodyFraming, headerHas, parseRequestHead, type RequestHead } from './request-head.ts';
export type { Headers } from './response-head.ts';
export { acceptWebSocket } from './websocket.ts';
export { serveConnection, type HttpServerOptions } from './server.ts';
