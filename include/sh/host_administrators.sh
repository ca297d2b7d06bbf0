# Who may become root on a host, in lines of "uid0 <name>", "group <group> <name>" and a last line "end <accounts>", for
# clo_ops.probes.host_administrators. POSIX sh; reads only. Arguments: the groups that may.
getent passwd >/dev/null || exit 3
getent passwd | awk -F: '$3 == 0 { print "uid0", $1 }'
for group in "$@"; do
    line=$(getent group "$group") || continue
    number=$(echo "$line" | cut -d: -f3)
    echo "$line" | cut -d: -f4 | tr ',' '\n' | sed "/^$/d; s/^/group $group /"
    # Whoever has it as the first group is no member by name.
    getent passwd | awk -F: -v gid="$number" -v group="$group" '$4 == gid { print "group", group, $1 }'
done
echo "end $(getent passwd | wc -l | tr -d ' ')"
