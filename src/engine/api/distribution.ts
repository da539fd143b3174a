import { withDefaultTag, parseReference } from '../images/index.ts';
import { pullFailure } from '../pull/index.ts';
import { decodeAuthHeader, inspectDistribution } from '../registry/index.ts';
import type { ApiContext } from './context.ts';
import { param, sendJson, type ApiRequest } from './request.ts';

/** GET /distribution/{name}/json: what the registry has, as `docker manifest` and orchestrators ask. */
export async function distribution({ registry }: ApiContext, request: ApiRequest): Promise<void> {
  const reference = withDefaultTag(parseReference(param(request, 'name')));
  const credentials = decodeAuthHeader(request.exchange.head.headers.get('x-registry-auth'));
  try {
    const { digest, mediaType, sizeBytes, platforms } = await inspectDistribution(registry, reference, credentials, request.exchange.gone);
    await sendJson(request, 200, {
      Descriptor: { mediaType, digest, size: sizeBytes },
      Platforms: platforms.map(({ os = 'linux', architecture = '', variant = '' }) => ({ architecture, os, ...(variant === '' ? {} : { variant }) })),
    });
  } catch (error) {
    throw pullFailure(error, reference);
  }
}
