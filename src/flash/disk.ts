/** A disk that is being written: of this host (local-disk.ts), or of one that is reached over SSH (disk-there.ts). Positions and lengths are bytes. */
export interface OpenDisk {
  /** For messages. */
  name: string;
  sizeBytes: number;
  /** May return before the medium has it. Throws OSB_FLASH_FAILED, perhaps later. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes zeros. */
  blank(position: number, length: number): Promise<void>;
  /** Waits until not much is on its way to the medium. */
  settle(): Promise<void>;
  /** Waits until the medium has everything. */
  sync(): Promise<void>;
  /** Makes sure that reading reads the medium. */
  dropCache(): Promise<void>;
  /** SHA-256 of what stands there. Throws OSB_FLASH_FAILED where it cannot be read, and what `progress` throws. */
  digest(start: number, end: number, progress: (bytes: number) => void): Promise<string>;
  /** It was read back and stays as it is. Throws where that cannot be told to whoever holds the disk. */
  keep(): Promise<void>;
  /** Unless it was kept: blanks that much of its beginning, as far as that can still be done, and then lets go of it. Never fails. */
  close(headBytes: number): Promise<void>;
}
