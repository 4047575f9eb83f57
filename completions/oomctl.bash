# bash completion of oomctl                                  -*- shell-script -*-
#
# For this shell:  eval "$(oomctl completion bash)"
# For good:        oomctl completion --install bash  (needs the package bash-completion)
#                  writes ~/.local/share/bash-completion/completions/oomctl, and for everyone, with --system,
#                  /usr/local/share/bash-completion/completions/oomctl

_oomctl_completion() {
    local word=$2 kind value help width=0 columns index goes_on=yes
    local -a values=() helps=()
    [[ $word == [:=] ]] && word=
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            value | prefix)
                values+=("$value") helps+=("$help")
                [[ $kind == value ]] && goes_on=
                ((${#value} > width)) && width=${#value}
                ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
            command)
                mapfile -t COMPREPLY < <(compgen -A command -A file -- "$word")
                compopt -o filenames -o default # a file may be called anything: readline is to quote it
                ;;
        esac
    done < <(
        _OOMCTL_COMPLETE=bash_complete OOMCTL_LINE=${COMP_LINE:0:COMP_POINT} OOMCTL_WORD=$word OOMCTL_TYPE=$COMP_TYPE \
            OOMCTL_CALLERS=${FUNCNAME[*]:1} "${1/#\~\//$HOME/}" 2>/dev/null
    )
    ((${#values[@]})) || return 0
    [[ $goes_on ]] && compopt -o nospace
    COMPREPLY=("${values[@]}")
    # A list that is shown (TAB TAB: ?, or !, @) says what each one is. With ! and @ bash also inserts what all entries
    # have in common: never is a value cut, so that they differ where the values do.
    if ((${#values[@]} > 1)) && [[ $COMP_TYPE == @(63|33|64) ]]; then
        columns=$((COLUMNS > 20 ? COLUMNS - 1 : 79))
        for index in "${!values[@]}"; do
            [[ ${helps[index]} ]] || continue
            printf -v value '%-*s  (%s)' "$width" "${values[index]}" "${helps[index]}"
            COMPREPLY[index]=${value:0:columns > width ? columns : width}
        done
    fi
}

complete -o nosort -F _oomctl_completion oomctl
