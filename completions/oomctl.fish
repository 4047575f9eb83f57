# fish completion of oomctl
#
# For this shell:  oomctl completion fish | source
# For good:        oomctl completion --install fish
#                  writes ~/.config/fish/completions/oomctl.fish, and for everyone, with --system,
#                  /etc/fish/completions/oomctl.fish

function __oomctl_complete
    set -l program (string match -r -- '(?:.*/)?oomctl$' (commandline -opc))[1]
    test -n "$program"; or set program oomctl
    string match -q -- '~/*' $program; and set program (string replace -- '~' $HOME $program)
    set -l line (commandline -cp | string collect)
    for candidate in (env _OOMCTL_COMPLETE=fish_complete OOMCTL_LINE=$line $program 2>/dev/null)
        set -l part (string split -m 2 \t -- $candidate)
        switch $part[1]
            case value prefix
                printf '%s\t%s\n' $part[2] "$part[3]"
            case file
                set -l option (commandline -ct | string match -r -- '^--[^=]*=')
                __fish_complete_path (string replace -- "$option" '' (commandline -ct)) | string replace -r -- '^' "$option"
            case dir
                __fish_complete_directories (commandline -ct)
            case command
                complete -C (commandline -ct)
        end
    end
end

complete --command oomctl --no-files --keep-order --arguments '(__oomctl_complete)'
