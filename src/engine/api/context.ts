import type { Builder } from '../build/index.ts';
import type { ContainerContext } from '../containers/index.ts';
import type { Deltas } from '../delta/index.ts';
import type { Puller } from '../pull/index.ts';
import type { Pusher } from '../push/index.ts';
import type { RegistryContext } from '../registry/index.ts';
import type { DaemonSettings } from '../daemon/settings.ts';

/** What the routes work with. */
export interface ApiContext {
  containers: ContainerContext;
  puller: Puller;
  builder: Builder;
  pusher: Pusher;
  deltas: Deltas;
  registry: RegistryContext;
  settings: DaemonSettings;
  /** Stable name of this installation. */
  engineId: string;
}
