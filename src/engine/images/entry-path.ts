import { EngineError } from '../error.ts';

/**
 * An archive's path relative to the root of the layer: no slash at either end, no '.' and '..'; '' is the root itself. One that climbs
 * out of the root is an attack or damage, and refused.
 */
export function entryPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) {
      throw new EngineError('invalid', 'LAYER_PATH_ESCAPES', `archive entry ${JSON.stringify(path)} points outside of its root`);
    }
  }
  return parts.join('/');
}

export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
