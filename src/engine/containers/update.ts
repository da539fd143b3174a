import { EngineError } from '../error.ts';
import type { Container } from './collection.ts';
import type { HostConfig } from './config.ts';
import { emit, type ContainerContext } from './context.ts';
import { createFields, type Fields } from './fields.ts';
import { checkLimits, parseRestart } from './parse-create.ts';
import { isLive } from './record.ts';
import { containerLimits } from './spec.ts';

const NUMBERS = ['BlkioWeight', 'CpuPeriod', 'CpuQuota', 'CpuShares', 'Memory', 'MemoryReservation', 'MemorySwap', 'NanoCpus'] as const;
const TEXTS = ['CpusetCpus', 'CpusetMems'] as const;

/** Changes limits and restart policy of a container, of one that runs at once. What is missing or zero stays as it is. */
export async function updateContainer(context: ContainerContext, container: Container, body: unknown): Promise<void> {
  const fields = createFields(body ?? {}, 'config');
  await container.queue(async () => {
    const { record } = container;
    if (record.state.status === 'removing' || record.state.status === 'dead') throw new EngineError('conflict', 'REMOVING', 'Container is marked for removal and cannot be "update".');
    const wanted = merge(record.hostConfig, fields);
    checkLimits(wanted);
    if (isLive(record.state) && touchesLimits(fields)) await context.runtime.update(record.id, containerLimits(wanted, context.cgroupVersion));
    record.hostConfig = wanted;
    await context.collection.save(container);
  });
  emit(context, container, 'update');
}

function merge(host: HostConfig, fields: Fields): HostConfig {
  const merged = { ...host };
  for (const name of NUMBERS) {
    const value = fields.number(name);
    if (value !== 0) merged[name] = value;
  }
  for (const name of TEXTS) {
    const value = fields.text(name);
    if (value !== '') merged[name] = value;
  }
  const pids = fields.optionalNumber('PidsLimit');
  if (pids !== undefined && pids !== 0) merged.PidsLimit = pids;
  const restart = fields.record('RestartPolicy');
  if (restart !== undefined && restart.text('Name') !== '') {
    merged.RestartPolicy = parseRestart(restart);
    if (host.AutoRemove && merged.RestartPolicy.Name !== 'no') throw invalid('Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
  if (fields.number('NanoCpus') !== 0 && (host.CpuPeriod > 0 || host.CpuQuota > 0)) throw invalid('Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota has already been set');
  if ((fields.number('CpuPeriod') !== 0 || fields.number('CpuQuota') !== 0) && host.NanoCpus > 0) throw invalid('Conflicting options: CPU Period and Quota cannot be updated as NanoCPUs has already been set');
  if (fields.number('Memory') > 0 && merged.MemorySwap > 0 && merged.Memory > merged.MemorySwap) {
    throw invalid('Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time');
  }
  return merged;
}

function touchesLimits(fields: Fields): boolean {
  return [...NUMBERS, 'PidsLimit'].some((name) => fields.number(name) !== 0) || TEXTS.some((name) => fields.text(name) !== '');
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'UPDATE_INVALID', message);
}
