import type { BuildEvent } from '../model/index.ts';
import { artifactText, checkText, durationText, logText, noticeText, progressText } from './text.ts';
import type { Reporter, Streams } from './reporter.ts';

/** A long task says how far it is this often; CI systems stop jobs that are silent for minutes. */
const progressEveryMs = 10_000;

/** One line an event, for pipes and CI logs. */
export function plainReporter(streams: Streams): Reporter {
  const titles = new Map<string, string>();
  const lastProgress = new Map<string, number>();
  const say = (line: string): void => streams.stderr(`${line}\n`);
  const report = (event: BuildEvent): void => {
    switch (event.type) {
      case 'plan':
        return say(`${event.machine ? `${event.machine}: ` : ''}${event.tasks} tasks, ${event.cached} of them done before`);
      case 'task-start':
        titles.set(event.id, event.title);
        lastProgress.set(event.id, Date.now());
        return say(`▶ ${event.title}`);
      case 'task-progress': {
        if (Date.now() - (lastProgress.get(event.id) ?? 0) < progressEveryMs) return;
        lastProgress.set(event.id, Date.now());
        return say(`  ${titles.get(event.id) ?? event.id}: ${progressText(event)}`);
      }
      case 'task-done':
        return say(`✔ ${event.title} (${durationText(event.durationMs)})`);
      case 'task-failed':
        say(`✖ ${event.title}: ${event.message}`);
        if (event.log) say(logText(event.log));
        return;
      case 'notice':
        return say(noticeText(event));
      case 'check':
        return say(checkText(event));
      case 'artifact':
        return streams.stdout(`${artifactText(event)}\n`);
      case 'end':
        return say(`${{ ok: 'done', failed: 'failed', cancelled: 'cancelled' }[event.outcome]} after ${durationText(event.durationMs)}`);
    }
  };
  return { report, close: async () => undefined };
}
