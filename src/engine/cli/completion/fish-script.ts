/** The fish function that asks the program itself for candidates. */
export function fishCompletion(program: string): string {
  const name = `__${program}_candidates`;
  return `# fish completion for ${program}; put it into ~/.config/fish/completions/${program}.fish
function ${name}
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for candidate in (command $before[1] __complete $before[2..-1] "$current" 2>/dev/null)
        if test "$candidate" = :file
            __fish_complete_path "$current"
        else
            printf '%s\\n' "$candidate"
        end
    end
end
complete -c ${program} -f -a '(${name})'
`;
}
