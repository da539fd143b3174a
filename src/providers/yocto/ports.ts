/** What this provider has of the world beside a step's context. */
export interface YoctoPorts {
  cacheFolder: string;
  /** Folder of the program, where layers/meta-minke is. */
  home: string;
  /** Takes a lock between processes; the function gives it back. */
  lock(path: string, signal: AbortSignal): Promise<() => Promise<void>>;
  /** User id of this process. */
  uid: number;
  /** AWS_ variables for mirrors that are buckets; bitbake hands them to its fetchers alone. */
  bucketCredentials?: Readonly<Record<string, string>>;
  /** Processors that bitbake may use. */
  processors: number;
}
