/** The zsh function that asks the program itself for candidates. It can be autoloaded from $fpath, or sourced after compinit. */
export function zshCompletion(program: string): string {
  return `#compdef ${program}
# zsh completion for ${program}; put it into a folder of $fpath as _${program}
_${program}() {
  local candidate files=0
  local -a whole open
  for candidate in "\${(@f)$("\${words[1]}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$candidate" in
      '') ;;
      :file) files=1 ;;
      *[:=]) open+=("$candidate") ;;
      *) whole+=("$candidate") ;;
    esac
  done
  ((\${#whole})) && compadd -a whole
  ((\${#open})) && compadd -S '' -a open
  ((files)) && _files
  return 0
}
if [[ "\${zsh_eval_context[-1]}" == loadautofunc ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}
