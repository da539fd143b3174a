import type { Command, OptionSpec } from './command.ts';

export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return `Builds OS images for connected devices.\n\nUsage: osbuild <command> [options]\n\n${lines.join('\n')}\n\n\`osbuild <command> --help\` says more.\n`;
}

export function commandHelp(command: Command, common: Record<string, OptionSpec>): string {
  const rows = Object.entries({ ...command.options, ...common }).map(([name, option]) => {
    const value = option.type === 'string' ? ` <${option.value ?? 'text'}>` : '';
    return { left: `${option.short ? `-${option.short}, ` : '    '}--${name}${value}`, right: option.help };
  });
  const width = Math.max(...rows.map((row) => row.left.length));
  const options = rows.map((row) => `  ${row.left.padEnd(width)}  ${row.right}`).join('\n');
  const details = command.details ? `\n${command.details}\n` : '';
  return `${command.summary}\n\nUsage: osbuild ${command.name} ${command.usage}\n${details}\n${options}\n`;
}
