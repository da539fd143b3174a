import type { Builder } from '../build/index.ts';
import type { ContainerContext } from '../containers/index.ts';
import type { Puller } from '../pull/index.ts';
import type { DaemonSettings } from '../daemon/settings.ts';

/** What the routes work with. */
export interface ApiContext {
  containers: ContainerContext;
  puller: Puller;
  builder: Builder;
  settings: DaemonSettings;
  /** Stable name of this installation. */
  engineId: string;
}
