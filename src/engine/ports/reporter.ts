export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** The daemon's own diary; never container output. */
export interface Reporter {
  log(level: LogLevel, message: string, fields?: Record<string, string | number | boolean>): void;
}
