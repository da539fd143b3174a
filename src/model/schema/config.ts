// Generated from src/config/schemas/config.schema.json by src/config/generate-types.mjs: edit the schema.

/**
 * config.json on the boot partition of a device.
 */
export interface DeviceConfig {
  /**
   * For editors; not read.
   */
  $schema?: string;
  /**
   * Default: minke- and the first seven characters of the machine id.
   */
  hostname?: string;
  developmentMode?: boolean;
  os?: {
    /**
     * Public keys that may log in as root on port 22222.
     */
    sshKeys?: string[];
  };
}
