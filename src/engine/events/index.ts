// Purpose: what happened, for those who watch.
// Owns: the event's shape, the recent ones, filters.
// Must not: know HTTP.
export { createEventBus, matchesEvent, type EngineEvent, type EventBus, type EventFilters } from './bus.ts';
