/** The bash function that asks the program itself for candidates, so that it never goes out of date. Needs nothing but bash 4.3. */
export function bashCompletion(program: string): string {
  const name = `_${program}_complete`;
  return `# bash completion for ${program}; put it into /usr/share/bash-completion/completions/${program}
${name}() {
  local rest="\${COMP_LINE:0:COMP_POINT}" piece="\${COMP_WORDS[COMP_CWORD]}" words=() trimmed word at candidate
  # The shell takes words apart at : and =. What has no space before it belongs to the word before.
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    trimmed="\${rest#"\${rest%%[![:space:]]*}"}"
    if ((at == 0)) || [ "$trimmed" != "$rest" ]; then words+=("$word"); else words[-1]+="$word"; fi
    rest="\${trimmed#"$word"}"
  done
  case "$piece" in [:=]) piece= ;; esac
  local before="\${words[-1]%"$piece"}"
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [ "$candidate" = ":file" ]; then
      compopt -o default
    else
      COMPREPLY+=("\${candidate#"$before"}")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${words[@]:1}" 2>/dev/null)
  if [ \${#COMPREPLY[@]} -eq 1 ]; then
    case "\${COMPREPLY[0]}" in *[:=]) compopt -o nospace ;; esac
  fi
}
complete -F ${name} ${program}
`;
}
