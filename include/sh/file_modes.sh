# Mode and owner of files, in lines of "<mode> <owner> <path>" or "- - <path>" where there is none, for
# clo_ops.probes.security_files. POSIX sh; reads only. Arguments: the paths.
for path in "$@"; do
    if [ -e "$path" ]; then
        stat -L -c '%a %U %n' -- "$path" || exit 3
    else
        printf -- '- - %s\n' "$path"
    fi
done
