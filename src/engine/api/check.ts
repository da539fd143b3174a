import { usedLayers } from '../containers/index.ts';
import { checkStore, type StoreFault } from '../images/index.ts';
import type { ApiContext } from './context.ts';
import { createMessageStream } from './message-stream.ts';
import type { ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

/** POST /system/check?repair=1&quick=1: progress and faults in words; it ends with an error when faults are left. */
export async function check({ containers }: ApiContext, { query, exchange }: ApiRequest): Promise<void> {
  const { system, paths, images, layers } = containers;
  const messages = createMessageStream(() => exchange.stream(200, { 'Content-Type': 'application/json' }));
  const fail = (message: string): void => messages.send({ errorDetail: { message }, error: message });
  try {
    const result = await checkStore({
      system, paths, images, layers,
      used: () => usedLayers(containers),
      contents: !query.flag('quick'),
      repair: query.flag('repair'),
      report: (status) => messages.send({ status }),
      cancellation: exchange.gone,
    });
    for (const fault of result.faults) messages.send({ status: inWords(fault) });
    const left = result.faults.filter(({ repaired }) => !repaired).length;
    messages.send({ status: `Checked ${result.layers} layers and ${result.images} images${query.flag('quick') ? '' : `, ${Math.round(result.readBytes / 1e6)} MB of files`}` });
    if (left > 0) fail(`the store has ${left === 1 ? 'a fault' : `${left} faults`}${query.flag('repair') ? ' that could not be repaired' : '; --repair mends what can be mended'}`);
    else messages.send({ status: result.faults.length > 0 ? 'Everything that was wrong has been repaired' : 'Nothing is wrong' });
  } catch (error) {
    if (!messages.started) throw error;
    fail(errorAnswer(error).message);
  }
  await messages.end();
}

function inWords({ subject, problem, remedy, repaired }: StoreFault): string {
  return `${repaired ? 'Repaired' : 'Fault'}: ${subject}: ${problem} (${remedy})`;
}
