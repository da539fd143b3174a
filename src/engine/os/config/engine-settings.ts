import { messageOf } from '../../error.ts';
import { parseDocument } from './document.ts';
import type { DeviceConfig } from './device-config.ts';

/** Throws where the engine would not start with this text as its daemon.json. */
export type CheckSettings = (text: string) => void;

/** Said by the service's own command line: the engine refuses to hear them twice. */
const OF_THE_SERVICE = ['hosts', 'data-root', 'delta-data-root', 'exec-root', 'pidfile', 'dns', 'tls'];

/**
 * The engine's settings: those of config.json over those of /etc/minke/daemon.json. Whatever the engine would refuse is left out and named, so
 * that it starts in any case.
 */
export function engineSettings({ engine = {}, registries = {} }: DeviceConfig, byHand: string | undefined, check: CheckSettings): { text: string; complaints: string[] } {
  const complaints: string[] = [];
  const own = byHand === undefined || byHand.trim() === '' ? {} : parseDocument(byHand);
  let settings: Record<string, unknown> = {};
  if (typeof own === 'string') complaints.push(`/etc/minke/daemon.json: ${own}: it does not count`);
  else {
    for (const key of OF_THE_SERVICE.filter((name) => Object.hasOwn(own, name))) complaints.push(`/etc/minke/daemon.json: ${key}: the service gives it; it does not count`);
    const kept = Object.fromEntries(Object.entries(own).filter(([key]) => !OF_THE_SERVICE.includes(key)));
    const wrong = fault(kept, check);
    if (wrong === undefined) settings = kept;
    else complaints.push(`/etc/minke/daemon.json: ${wrong}: it does not count`);
  }
  const asked = { ...engine, ...(registries.mirrors === undefined ? {} : { 'registry-mirrors': registries.mirrors }), ...(registries.insecure === undefined ? {} : { 'insecure-registries': registries.insecure }) };
  for (const [key, value] of Object.entries(asked)) {
    const wrong = fault({ [key]: value }, check);
    if (wrong === undefined) settings = { ...settings, [key]: value };
    else complaints.push(`engine.${key}: ${wrong}: it does not count`);
  }
  return { text: `${JSON.stringify(settings, null, 2)}\n`, complaints };
}

function fault(settings: Record<string, unknown>, check: CheckSettings): string | undefined {
  try {
    check(JSON.stringify(settings));
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/\s+/g, ' ');
  }
}
