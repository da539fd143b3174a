/** The engine's version: Docker's level, then our own revision. The only place that says it. */
export const ENGINE_VERSION = '28.0.0+minke.0.1';
export const API_VERSION = '1.47';
export const API_VERSION_MIN = '1.24';
