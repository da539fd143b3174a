import { sha256 } from 'host:crypto';
import { nowIso } from '../containers/index.ts';
import type { ImageConfig, StagedLayer } from '../images/index.ts';
import { checkCancelled } from './file-tree.ts';
import type { BuildSession } from './session.ts';
import type { StageState } from './stage-state.ts';

/** A step that is ready to be made, or taken from an earlier build. */
export interface ReadyStep {
  /** The state after it, but for what the image itself brings. */
  next: StageState;
  /** For the history. */
  createdBy: string;
  /** Everything beyond `createdBy` that the result depends on. */
  depends: readonly string[];
  /** Undefined: nothing but the configuration changes. A layer that is not made (undefined) is a change that was none. */
  make: (() => Promise<StagedLayer | undefined>) | undefined;
}

/** Carries a step out, or finds the image that it made before. */
export async function commitStep(session: BuildSession, state: StageState, step: ReadyStep): Promise<StageState> {
  const { containers, steps, output, request, allowed, gone } = session;
  const { images } = containers;
  checkCancelled(gone);
  const { next, createdBy } = step;
  const key = sha256(JSON.stringify([state.imageId, state.platform, createdBy, next.author, step.depends]));
  const cached = request.noCache ? undefined : steps.find(key);
  if (cached !== undefined && (allowed === undefined || allowed.has(cached.id))) {
    session.using.add(cached.id);
    await output.say(' ---> Using cache\n');
    const config = images.config(cached.id);
    return { ...next, imageId: cached.id, diffIds: cached.diffIds, config: config.config ?? {}, history: config.history ?? [] };
  }
  const staged = await step.make?.();
  const created = nowIso(containers);
  const diffIds = staged === undefined ? state.diffIds : [...state.diffIds, staged.diffId];
  const history = [...state.history, { created, created_by: createdBy, ...(next.author === '' ? {} : { author: next.author }), ...(staged === undefined ? { empty_layer: true } : {}) }];
  const document: ImageConfig = {
    created, ...(next.author === '' ? {} : { author: next.author }), architecture: next.platform.architecture, ...(next.platform.variant === '' ? {} : { variant: next.platform.variant }), os: 'linux',
    config: next.config, rootfs: { type: 'layers', diff_ids: [...diffIds] }, history,
  };
  const text = JSON.stringify(document);
  const imageId = `sha256:${sha256(text)}`;
  session.using.add(imageId);
  // First: an image without a note of what it is would look like somebody's.
  await steps.put(imageId, state.imageId, key);
  try {
    await images.add(text, staged === undefined ? [] : [staged]);
  } catch (error) {
    if (staged !== undefined) await containers.layers.discard(staged);
    throw error;
  }
  return { ...next, imageId, diffIds, history };
}
