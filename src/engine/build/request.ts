import type { Platform, Reference } from '../images/index.ts';
import type { Credentials } from '../registry/index.ts';

/** What POST /build asks for, checked. */
export interface BuildRequest {
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  /** Address of the context, when it is not the request's body; '' otherwise. */
  remote: string;
  tags: Reference[];
  buildArgs: ReadonlyMap<string, string>;
  labels: Readonly<Record<string, string>>;
  target: string;
  platform: Platform | undefined;
  noCache: boolean;
  pull: boolean;
  squash: boolean;
  /** Containers of the steps go after a good build, and after any. */
  remove: boolean;
  forceRemove: boolean;
  /** Names of images whose steps alone may be used again; undefined for all. */
  cacheFrom: string[] | undefined;
  /** Of the containers that RUN makes, as in a create request. */
  hostConfig: Record<string, unknown>;
  /** 'source:target[:mode]': there while RUN runs, and no part of the image. */
  binds: string[];
  secrets: ReadonlyMap<string, Uint8Array>;
  /** Sockets of ssh agents on this machine. */
  agents: ReadonlyMap<string, string>;
  credentials(domain: string): Credentials;
}
