import { CliError } from '../cli-error.ts';
import { between, type Command, type CommandContext } from '../command.ts';
import { base64, credentialKey } from '../credentials.ts';
import { errorCode } from '../ports.ts';

type ConfigFile = Record<string, unknown> & { auths?: Record<string, unknown> };

function readConfig(context: CommandContext): ConfigFile {
  try {
    return JSON.parse(context.ports.files.readText(`${context.config.directory}/config.json`)) as ConfigFile;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {};
    throw error;
  }
}

function writeConfig(context: CommandContext, config: ConfigFile): void {
  const { files } = context.ports;
  if (!files.stat(context.config.directory)) files.makeDirectory(context.config.directory, 0o700);
  files.writeText(`${context.config.directory}/config.json`, `${JSON.stringify(config, null, '\t')}\n`, 0o600);
}

async function readLine(context: CommandContext): Promise<string> {
  let text = '';
  while (!text.includes('\n')) {
    const chunk = await context.ports.stdin.read();
    if (chunk === null) break;
    text += context.ports.codec.decode(chunk);
  }
  return text.replace(/\r?\n[\s\S]*$/, '');
}

async function askPassword(context: CommandContext): Promise<string> {
  const { ports } = context;
  if (context.flags.bool('password-stdin')) {
    let text = '';
    for (let chunk = await ports.stdin.read(); chunk !== null; chunk = await ports.stdin.read()) text += ports.codec.decode(chunk);
    return text.replace(/\r?\n$/, '');
  }
  if (!ports.stdin.isTty) throw new CliError('cannot perform an interactive login from a non TTY device; use --password-stdin');
  await context.print('Password: ');
  ports.terminal.setEcho(false);
  try {
    return await readLine(context);
  } finally {
    ports.terminal.setEcho(true);
    await context.print('\n');
  }
}

function registryArgument(context: CommandContext): string {
  return credentialKey((context.args[0] ?? 'docker.io').replace(/^https?:\/\//, '').replace(/\/.*$/, ''));
}

async function login(context: CommandContext): Promise<number> {
  const { api, flags, ports, config } = context;
  const registry = registryArgument(context);
  if (flags.given('password') && flags.bool('password-stdin')) throw new CliError('conflicting options: cannot specify both --password and --password-stdin');
  if (flags.bool('password-stdin') && !flags.given('username')) throw new CliError('the --password-stdin option requires --username to be set');
  if (flags.given('password')) await context.warn('WARNING! Using --password via the CLI is insecure. Use --password-stdin.');
  let username = flags.string('username');
  if (username === '') {
    if (!ports.stdin.isTty) throw new CliError('cannot perform an interactive login from a non TTY device; use --username and --password-stdin');
    await context.print('Username: ');
    username = (await readLine(context)).trim();
  }
  const password = flags.given('password') ? flags.string('password') : await askPassword(context);
  const answer = await api.post<{ Status?: string; IdentityToken?: string }>('/auth', { json: { username, password, serveraddress: registry } });
  const helper = config.credHelpers[registry] ?? config.credsStore;
  if (helper !== '') {
    const result = await ports.process.run([`docker-credential-${helper}`, 'store'], JSON.stringify({ ServerURL: registry, Username: username, Secret: password }));
    if (result?.code !== 0) throw new CliError(`docker-credential-${helper} failed: ${result?.stdout.trim() ?? 'it is not installed'}`);
  } else {
    const file = readConfig(context);
    const entry = answer.IdentityToken ? { auth: base64(ports.codec.encode(`${username}:`)), identitytoken: answer.IdentityToken } : { auth: base64(ports.codec.encode(`${username}:${password}`)) };
    writeConfig(context, { ...file, auths: { ...file.auths, [registry]: entry } });
    await context.warn(`WARNING! Your credentials are stored unencrypted in '${config.directory}/config.json'.`);
  }
  await context.print(`${answer.Status || 'Login Succeeded'}\n`);
  return 0;
}

async function logout(context: CommandContext): Promise<number> {
  const registry = registryArgument(context);
  const helper = context.config.credHelpers[registry] ?? context.config.credsStore;
  const file = readConfig(context);
  if (!(registry in (file.auths ?? {})) && helper === '') {
    await context.print(`Not logged in to ${registry}\n`);
    return 0;
  }
  await context.print(`Removing login credentials for ${registry}\n`);
  if (helper !== '') await context.ports.process.run([`docker-credential-${helper}`, 'erase'], registry);
  const auths = { ...file.auths };
  delete auths[registry];
  writeConfig(context, { ...file, auths });
  return 0;
}

export const loginCommand: Command = {
  path: ['login'], usage: '[SERVER]', summary: 'Log in to a registry', args: between(0, 1), common: true,
  flags: [
    { name: 'password', short: 'p', kind: 'string', help: 'Password (others can see it in the list of processes)' },
    { name: 'password-stdin', kind: 'bool', help: 'Read the password from standard input' },
    { name: 'username', short: 'u', kind: 'string', help: 'User name' },
  ],
  run: login,
};

export const logoutCommand: Command = {
  path: ['logout'], usage: '[SERVER]', summary: 'Log out from a registry', args: between(0, 1), common: true, flags: [], run: logout,
};
