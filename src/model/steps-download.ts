/** Files that no archive packages (src/downloads). */
export interface DownloadSteps {
  /** No inputs. Outputs: the files, each named by its SHA-256, verified. */
  'download/files': { files: FileByUrl[] };
}

/** A file by its address and its SHA-256. */
export interface FileByUrl {
  name: string;
  url: string;
  sha256: string;
  /** For the bill of materials alone. */
  license?: string;
}
