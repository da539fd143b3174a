/** Something that happened, as Docker's /events tells it. */
export interface EngineEvent {
  Type: 'container' | 'image' | 'volume' | 'network' | 'daemon';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  /** Seconds, and the same moment in nanoseconds (as a number: the last digits are lost, as in every JSON reader). */
  time: number;
  timeNano: number;
  /** Fields from before API 1.22, which clients still read. */
  status?: string;
  id?: string;
  from?: string;
}

export type EventFilters = ReadonlyMap<string, readonly string[]>;

export interface EventBus {
  emit(type: EngineEvent['Type'], action: string, id: string, attributes: Record<string, string>): void;
  subscribe(listener: (event: EngineEvent) => void): () => void;
  /** What has been kept, oldest first. */
  recent(): readonly EngineEvent[];
}

const KEPT = 256;

export function createEventBus(nowMs: () => number): EventBus {
  const listeners = new Set<(event: EngineEvent) => void>();
  const kept: EngineEvent[] = [];
  let lastNano = 0;
  return {
    recent: () => kept,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(type, action, id, attributes) {
      const ms = nowMs();
      // Clients order by it: never the same twice, as far as a double tells them apart.
      lastNano = Math.max(ms * 1e6, lastNano + 1024);
      const event: EngineEvent = { Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, scope: 'local', time: Math.floor(ms / 1000), timeNano: lastNano };
      if (type === 'container' || type === 'image') {
        event.status = action;
        event.id = id;
        const image = attributes['image'];
        if (image !== undefined) event.from = image;
      }
      kept.push(event);
      if (kept.length > KEPT) kept.shift();
      for (const listener of listeners) listener(event);
    },
  };
}

/** Values of one filter are alternatives, filters add up. Unknown filters match nothing. */
export function matchesEvent(event: EngineEvent, filters: EventFilters): boolean {
  for (const [name, values] of filters) {
    if (!values.some((value) => matchesOne(event, name, value))) return false;
  }
  return true;
}

function matchesOne(event: EngineEvent, name: string, value: string): boolean {
  const { ID, Attributes } = event.Actor;
  const object = (type: string): boolean => event.Type === type && (ID === value || ID.startsWith(value) || Attributes['name'] === value || Attributes['image'] === value);
  switch (name) {
    case 'type':
      return event.Type === value;
    case 'event':
      return event.Action === value || event.Action.startsWith(`${value}:`);
    case 'scope':
      return event.scope === value;
    case 'container':
    case 'volume':
    case 'network':
      return object(name);
    case 'image':
      return object('image') || Attributes['image'] === value;
    case 'daemon':
      return object('daemon');
    case 'label': {
      const [key = '', expected] = value.split('=', 2);
      return Attributes[key] !== undefined && (expected === undefined || Attributes[key] === expected);
    }
    default:
      return false;
  }
}
