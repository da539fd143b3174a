import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dockerCliObstacle, type CommandResult } from './docker-cli.ts';

/** What Docker's command line did with one line of words. */
export interface DockerAnswer extends CommandResult {
  /** Requests that change something: "METHOD /path sorted query", and the meaning of their bodies where a test compares them. */
  readonly requests: readonly string[];
  readonly body?: unknown;
}

interface Recording {
  recordedAtMs: number;
  answers: Record<string, DockerAnswer>;
}

export interface DockerAnswers {
  /** Null: answers come from Docker's command line itself, now. Else the moment of the recording, by which ages are told. */
  readonly recordedAtMs: number | null;
  of(key: string, ask: () => Promise<DockerAnswer>): Promise<DockerAnswer>;
  /** Writes the recording when OSBUILD_RECORD_DOCKER is set. */
  finish(): void;
}

/**
 * Docker's own answers: from its command line where a fitting one is installed, else those recorded from it
 * (OSBUILD_RECORD_DOCKER=1 records them anew).
 */
export function dockerAnswers(name: string): DockerAnswers {
  const file = new URL(`../fixtures/${name}.json`, import.meta.url);
  const live = dockerCliObstacle() === null;
  const fresh: Recording = { recordedAtMs: Date.now(), answers: {} };
  const recorded = !live && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as Recording : null;
  return {
    recordedAtMs: live ? null : recorded?.recordedAtMs ?? null,
    async of(key, ask) {
      if (live) return (fresh.answers[key] = await ask());
      const answer = recorded?.answers[key];
      if (!answer) throw new Error(`${name}.json has no answer to "${key}": record it where docker 28 is installed (OSBUILD_RECORD_DOCKER=1)`);
      return answer;
    },
    finish() {
      if (!live || process.env['OSBUILD_RECORD_DOCKER'] === undefined) return;
      mkdirSync(new URL('.', file), { recursive: true });
      writeFileSync(file, `${JSON.stringify(fresh, null, 1)}\n`);
    },
  };
}
