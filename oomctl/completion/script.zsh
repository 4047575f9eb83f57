#compdef PROGRAM
# zsh completion of PROGRAM
#
# For this shell:  eval "$(PROGRAM completion zsh)"
# For good:        PROGRAM completion --install zsh
#                  writes ~/.local/share/zsh/site-functions/_PROGRAM, which needs these lines in ~/.zshrc:
#                  fpath+=~/.local/share/zsh/site-functions; autoload -Uz compinit; compinit
#                  and for everyone, with --system, /usr/local/share/zsh/site-functions/_PROGRAM

_PROGRAM() {
    local kind value help line suffix
    local -i width=0 index
    local -a values helps shown open opened
    line=${(j: :)words[1,CURRENT]}
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            (value | prefix)
                (( $#value > width )) && width=$#value
                if [[ $kind == value ]] { values+=("$value"); helps+=("$help") }
                if [[ $kind == prefix ]] { open+=("$value"); opened+=("$help") }
                ;;
            (file) compset -P 1 '--*='; _files ;; # of --option=begun what is behind the =
            (dir) compset -P 1 '--*='; _files -/ ;;
            (command) if [[ $line == */* ]] { _files } else { _command_names -e } ;;
        esac
    done < <(_OOMCTL_COMPLETE=zsh_complete OOMCTL_LINE=$line ${~words[1]} 2>/dev/null)

    for (( index = 1; index <= $#values; index++ )); do
        shown+=("${(r:width:)values[index]}${helps[index]:+  -- $helps[index]}")
    done
    (( $#values )) && compadd -l -V candidates -d shown -a values
    shown=()
    for (( index = 1; index <= $#open; index++ )); do
        shown+=("${(r:width:)open[index]}${opened[index]:+  -- $opened[index]}")
    done
    (( $#open )) && compadd -l -S '' -V prefixes -d shown -a open
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _PROGRAM "$@"
else
    compdef _PROGRAM PROGRAM
fi
