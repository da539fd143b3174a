import { Listr, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from 'listr2';

import type { BuildEvent } from '../model/index.ts';
import type { Reporter, Streams } from './reporter.ts';
import { artifactText, checkText, durationText, logText, noticeText, progressText } from './text.ts';

type Wrapper = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Row {
  title: string;
  settle: { resolve: () => void; reject: (error: Error) => void };
  ended: Promise<void>;
  wrapper: Wrapper | null;
}

/** A list of tasks that is drawn again in place: what runs, how far it is, how long things took. */
export function terminalReporter(streams: Streams): Reporter {
  const rows = new Map<string, Row>();
  let drawing: Promise<unknown> = Promise.resolve();
  /** Printed below the list once it is final; text in between would tear the drawing. */
  const after: { to: keyof Streams; text: string }[] = [];
  let drawn = true;
  const say = (to: keyof Streams, text: string): void => {
    if (drawn) streams[to](text);
    else after.push({ to, text });
  };

  const begin = (event: Extract<BuildEvent, { type: 'plan' }>): void => {
    if (event.machine) streams.stderr(`${event.machine}: ${event.tasks} tasks, ${event.cached} of them done before\n`);
    if (event.toRun.length === 0) return;
    for (const { id, title } of event.toRun) rows.set(id, row(title));
    const list = new Listr(
      event.toRun.map(({ id, title }) => ({
        title,
        task: async (_context: unknown, wrapper: Wrapper): Promise<void> => {
          const own = rows.get(id);
          if (!own) return;
          own.wrapper = wrapper;
          await own.ended;
        },
      })),
      { concurrent: event.concurrency, exitOnError: false, rendererOptions: { collapseErrors: false, showErrorMessage: false } },
    );
    drawn = false;
    drawing = list.run().catch(() => undefined).then(() => (drawn = true));
  };

  const report = (event: BuildEvent): void => {
    switch (event.type) {
      case 'plan':
        return begin(event);
      case 'task-start':
        return;
      case 'task-progress': {
        const wrapper = rows.get(event.id)?.wrapper;
        if (wrapper) wrapper.output = progressText(event);
        return;
      }
      case 'task-done': {
        const own = rows.get(event.id);
        if (own?.wrapper) own.wrapper.title = `${event.title} (${durationText(event.durationMs)})`;
        return own?.settle.resolve();
      }
      case 'task-failed':
        rows.get(event.id)?.settle.reject(new Error(event.message));
        after.push({ to: 'stderr', text: `\n✖ ${event.title}: ${event.message}${event.log ? `\n${logText(event.log)}` : ''}\n` });
        return;
      case 'notice':
        return say('stderr', `${noticeText(event)}\n`);
      case 'check':
        return streams.stderr(`${checkText(event)}\n`);
      case 'artifact':
        return say('stdout', `${artifactText(event)}\n`);
      case 'end':
        for (const own of rows.values()) own.settle.reject(new Error('not run'));
        say('stderr', `${{ ok: 'done', failed: 'failed', cancelled: 'cancelled' }[event.outcome]} after ${durationText(event.durationMs)}\n`);
    }
  };

  const close = async (): Promise<void> => {
    for (const own of rows.values()) own.settle.reject(new Error('not run'));
    await drawing;
    for (const { to, text } of after) streams[to](text);
  };
  return { report, close };
}

function row(title: string): Row {
  let settle: Row['settle'] = { resolve: () => undefined, reject: () => undefined };
  const ended = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  ended.catch(() => undefined); // a task that never came to its turn is rejected without anyone waiting
  return { title, settle, ended, wrapper: null };
}
