import type { ContainerContext } from '../containers/index.ts';
import type { DaemonSettings } from '../daemon/settings.ts';

/** What the routes work with. */
export interface ApiContext {
  containers: ContainerContext;
  settings: DaemonSettings;
  /** Stable name of this installation. */
  engineId: string;
}
