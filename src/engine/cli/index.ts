// Purpose: the command line: finds the verb, reads its flags, runs it against the daemon's API, gives the exit status.
// Owns: verbs, flags, help, completion, output and exit codes, attached sessions.
// Must not: touch the system other than through CliPorts, or know how the daemon does things.

export { runCli } from './host-entry.ts';
