# offered.zsh SCRIPT LINE: prints what an interactive zsh that has read SCRIPT offers after LINE and a tab, one a line.
zmodload zsh/zpty
zpty belay zsh -f -i

# Takes what that zsh prints until a word comes.
await() {
  local text
  while zpty -r belay text; do
    text=${text//$'\r'/}
    print -r -- "${text%$'\n'}"
    [[ $text != *$1* ]] || return
  done
}

# The words to wait for are split in two: the line itself is printed, too.
zpty -w belay "PS1= PS2= HISTFILE=; autoload -Uz compinit; compinit -u -D; source ${(q)1} && print READ''Y"
await READY >/dev/null
zpty -w belay 'compadd() {
  local -a offered
  case " $* " in
    *" -O "* | *" -A "* | *" -D "*) ;;
    *) builtin compadd -A offered "$@"; print; print -rl -- "OFFERED="$^offered ;;
  esac
  builtin compadd "$@"
}
ended() { print -r -- "EN""DED"; exit; }
comppostfuncs=(ended)
print REDEF''INED'
await REDEFINED >/dev/null
zpty -w -n belay "$2"$'\t'
await ENDED | sed -n 's/^OFFERED=//p'
zpty -d belay
