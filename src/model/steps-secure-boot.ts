/** What a firmware with Secure Boot starts (src/secure-boot). */
export interface SecureBootSteps {
  /**
   * Inputs: `kernel`, `initrd`, `initrdReport` (initrd.json), `bootLoader` (tar), and with `slots` `verity` (verity.json). Outputs: kernel.efi, the unified kernel; loader.efi; both signed.
   * `certificate` (PEM) stands for the key, which is no argument; `loader`, `stub`: files of `package`; `slots`: a command line for each slot and its trial is made of `commandLine`.
   */
  'secure-boot/sign': {
    certificate: string;
    os: { name: string; id: string; version: string };
    package: string;
    loader: string;
    stub: string;
    commandLine: string[];
    slots: boolean;
  };
}
