import type { CommandContext } from '../command.ts';
import { registryAuthHeader } from '../credentials.ts';
import { splitImageName } from '../output/image-name.ts';
import { showProgress } from '../output/progress.ts';
import type { OutputStream } from '../ports.ts';

export interface PullOptions {
  readonly platform: string;
  readonly quiet: boolean;
  readonly allTags?: boolean;
  readonly delta?: string;
  readonly output: OutputStream;
}

/** Pulls an image, drawing the progress that the daemon reports. */
export async function pullImage(context: CommandContext, name: string, options: PullOptions): Promise<void> {
  const { repository, tag, digest } = splitImageName(name);
  const reference = options.allTags ? undefined : digest || tag || 'latest';
  const headers = await registryAuthHeader(context, name);
  const values = context.api.values('POST', '/images/create', {
    query: { fromImage: repository, tag: reference, platform: options.platform, delta: options.delta === 'auto' ? undefined : options.delta }, headers,
  });
  await showProgress(context.ports, values, options.output, options.quiet);
}
