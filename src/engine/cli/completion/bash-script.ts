/** The bash function that asks the program itself for candidates, so that it never goes out of date. */
export function bashCompletion(program: string): string {
  const name = `_${program}_complete`;
  return `# bash completion for ${program}; put it into /usr/share/bash-completion/completions/${program}
${name}() {
  local current line colon_prefix
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") cword=$COMP_CWORD
  current="\${COMP_WORDS[COMP_CWORD]}"
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cur
    _get_comp_words_by_ref -n := -w words -i cword cur
    words=("\${words[@]:1:cword}")
    current="$cur"
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":file" ]; then
      compopt -o default
    else
      COMPREPLY+=("$line")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *= ]] && compopt -o nospace
  if [[ "$current" == *:* ]] && declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions "$current"
  fi
}
complete -F ${name} ${program}
`;
}
