// Generated from src/config/schemas/config.schema.json by src/config/generate-types.mjs: edit the schema.

export type Address = string;
export type Word = string;

/**
 * config.json on the boot partition of a device. What each key does, and what a wrong one does: docs/configuration.md.
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
  /**
   * false closes an image that was built for development: no console login, no SSH without a key, no engine on TCP. It never opens a production image.
   */
  developmentMode?: boolean;
  /**
   * true keeps the journal on the data partition. Without it the journal is in memory.
   */
  persistentLogging?: boolean;
  /**
   * Whose rules for radio Wi-Fi follows, as ISO 3166 has it: DE, US.
   */
  country?: string;
  /**
   * Time servers, instead of pool.ntp.org. Those that the network names are asked too.
   *
   * @maxItems 16
   */
  ntpServers?: string[];
  /**
   * Addresses of name servers that are asked besides those of the network.
   *
   * @maxItems 16
   */
  dnsServers?: Address[];
  /**
   * Certificates (PEM, or base64 of it) of authorities that the device trusts besides the usual ones.
   */
  rootCA?: string;
  /**
   * Proxy for the engine and for services that read /run/minke-config/proxy.env.
   */
  proxy?: {
    /**
     * For plain HTTP: http://[USER:PASSWORD@]HOST:PORT.
     */
    http?: string;
    /**
     * For HTTPS. The proxy itself is spoken to by plain HTTP.
     */
    https?: string;
    /**
     * Reached without: host names with their subdomains, .domain, addresses, ranges.
     *
     * @maxItems 64
     */
    exceptions?: string[];
  };
  /**
   * A VPN that the device keeps open (OpenVPN), with a certificate and its key, or with a uuid and its key.
   */
  vpn?: {
    /**
     * Name or address of the server.
     */
    server: string;
    /**
     * 1194 without it.
     */
    port?: number;
    /**
     * udp without it.
     */
    protocol?: 'udp' | 'tcp';
    /**
     * Name that the server's certificate has to have.
     */
    serverName?: string;
    /**
     * Certificates (PEM, or base64 of it) of the authority that the server's is checked with.
     */
    ca: string;
    /**
     * The device's certificate (PEM, or base64 of it), with those between it and its authority.
     */
    certificate?: string;
    /**
     * The certificate's private key (PEM, or base64 of it), without a password.
     */
    key?: string;
    /**
     * Who the device is, for servers that ask for a name and a password.
     */
    uuid?: string;
    /**
     * The password for uuid.
     */
    apiKey?: string;
    /**
     * The server's static key (tls-crypt), which keeps strangers away from its TLS.
     */
    tlsCrypt?: string;
  };
  /**
   * Where the engine finds images.
   */
  registries?: {
    /**
     * Mirrors of the default registry.
     *
     * @maxItems 16
     */
    mirrors?: string[];
    /**
     * Registries that may lack valid TLS.
     *
     * @maxItems 64
     */
    insecure?: string[];
  };
  /**
   * Options of the engine, named as in daemon.json.
   */
  engine?: {
    'log-level'?: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
    /**
     * Largest packet on the bridge.
     */
    mtu?: number;
    /**
     * Search domains of containers.
     *
     * @maxItems 16
     */
    'dns-search'?: Word[];
    /**
     * Resolver options of containers.
     *
     * @maxItems 16
     */
    'dns-opts'?: Word[];
    /**
     * Labels of the engine.
     *
     * @maxItems 64
     */
    labels?: Word[];
    /**
     * false ends containers when the engine stops.
     */
    'live-restore'?: boolean;
    /**
     * Seconds for containers that name no stop timeout (ten at most) to end, when live-restore is false or the device restarts.
     */
    'shutdown-timeout'?: number;
  };
  os?: {
    /**
     * Public keys that may log in as root on port 22222.
     */
    sshKeys?: string[];
    network?: {
      wifi?: {
        /**
         * false: Wi-Fi looks for networks under the radio's own address.
         */
        randomMacAddressScan?: boolean;
      };
      /**
       * NetworkManager asks a web server whether the internet can be reached. Without a uri it does not ask.
       */
      connectivity?: {
        /**
         * What is fetched.
         */
        uri?: string;
        /**
         * Seconds between two questions; 300 without it.
         */
        interval?: number;
        /**
         * What the answer begins with.
         */
        response?: string;
      };
    };
    /**
     * Rules of udev by a name that says where they stand among the others, such as 56-modem.
     */
    udevRules?: {
      [k: string]: string;
    };
    /**
     * The watchdog in hardware, which restarts the board when the system hangs.
     */
    watchdog?: {
      /**
       * Without it: true.
       */
      enabled?: boolean;
      /**
       * How long the system may be silent; 30 without it.
       */
      seconds?: number;
    };
    /**
     * Who may speak to the device itself; published ports of containers stay open.
     */
    firewall?: {
      /**
       * Whether nothing is let in but SSH, mDNS, ICMP, what addresses and names need, and `allow`. Without it: false.
       */
      enabled?: boolean;
      /**
       * Ports of programs and of containers in the host's network.
       *
       * @maxItems 256
       */
      allow?: string[];
    };
    /**
     * Updates of the OS.
     */
    updates?: {
      /**
       * How long a restart for an update waits for locks of applications; 10 without it.
       */
      lockMinutes?: number;
      /**
       * Whether a USB stick called MINKEUPDATE with a signed release updates the device. Without it: false.
       */
      usb?: boolean;
    };
    /**
     * The device tree that the kernel is started with, on boards with U-Boot.
     */
    deviceTree?: {
      /**
       * Overlays that are applied, in this order: files of the folder overlays/ of the boot partition, without their .dtbo.
       *
       * @maxItems 8
       */
      overlays?: string[];
    };
    /**
     * How large the journal may become.
     */
    journal?: {
      /**
       * In memory; 16 without it.
       */
      memoryMegabytes?: number;
      /**
       * On the data partition, with persistentLogging; 64 without it.
       */
      diskMegabytes?: number;
    };
  };
}
