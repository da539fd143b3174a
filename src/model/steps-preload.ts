/** An image of an application: exactly one, of one platform. */
export interface PreloadedImage {
  /** As services name it. */
  reference: string;
  /** Services that use it. */
  services: string[];
  /** Of its manifest; of an archive's image that of the manifest that it would have. */
  digest: string;
  /** Of its configuration: what the engine calls the image's id. */
  id: string;
}

/** Where the blobs of an image are loaded from. */
export interface PreloadedRegistry {
  /** Without tag and digest: registry.example/team/web. */
  repository: string;
  insecure: boolean;
  manifest: { mediaType: string; text: string };
  blobs: Array<{ mediaType: string; digest: string; sizeBytes: number }>;
}

/** Applications that are in the image from the start (src/preload). */
export interface PreloadSteps {
  /** No inputs. Outputs: image.tar, an OCI image layout with the image under its reference. */
  'preload/fetch': { image: PreloadedImage; registry: PreloadedRegistry };
  /**
   * Inputs: `engine` (for the build host), `pack` (tools tree), `files` (the compose file's folder), and one archive for each name in `archives`. Outputs: data.tar, what
   * the data partition holds; data.json, how much that is (`PreloadedData`).
   */
  'preload/store': { images: PreloadedImage[]; archives: string[]; compose: string };
}

/** data.json: what a file system has to have room for. */
export interface PreloadedData {
  /** Files in whole blocks of 4096 bytes. */
  contentBytes: number;
  entries: number;
}
