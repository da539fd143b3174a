/** A file of a tree that is sent, relative to the tree. */
export type TreeFile = { path: string; sha256: string; sizeBytes: number; executable: boolean } | { path: string; link: string };

/** First line to the agent's verb `receive`. */
export interface ReceiveRequest {
  /** The store below which everything of ours on that host is; null: the usual cache folder of its user. */
  cache: string | null;
  trees: Array<{ digest: string; files: TreeFile[] }>;
}

/** What the agent's verb `probe` finds. */
export interface HostFacts {
  platform: string;
  architecture: string;
  node: string;
  hostname: string;
  /** Programs that are not there. */
  missing: string[];
  cache: string;
  freeBytes: number;
}

/** First line to the agent's verb `build`; lines after it, of any content, keep it alive. */
export interface BuildRequest {
  cache: string | null;
  program: string;
  project: { digest: string; folder: string };
  /** Words after `osbuild`. */
  words: string[];
  environment: Record<string, string>;
  /** Without a line for so long the caller is taken for gone. */
  silenceMs: number;
}

/** Lines of the agent itself; among them those of osbuild, which have a `type` of BuildEvent. */
export type AgentLine =
  | { type: 'agent-probe'; facts: HostFacts }
  | { type: 'agent-missing'; sha256: string[] }
  | { type: 'agent-received'; files: number }
  | { type: 'agent-installing' }
  | { type: 'agent-changed'; tree: string; path: string; sha256: string; sizeBytes: number; file: string }
  | { type: 'agent-ended'; status: number; lastWords: string[] }
  | { type: 'agent-error'; code: 'host' | 'disk-full' | 'damaged' | 'install'; message: string };

/** First line to the agent's verb `send`: that file from that byte on is its whole output. */
export interface SendRequest {
  file: string;
  offsetBytes: number;
}
