# What a host has left, in lines of "name value...", for clo_ops.probes.hosts. POSIX sh; reads only; nothing is installed.
# Arguments: the mounts to look at. The last line is "end": without it the answer is not whole.
LC_ALL=C
export LC_ALL

[ -r /proc/stat ] && [ -r /proc/meminfo ] || { echo "no /proc: not a Linux host" >&2; exit 3; }

limited() { if command -v timeout >/dev/null 2>&1; then timeout 8 "$@"; else "$@"; fi; }

# Bytes in and out of each interface that was ever used and leaves the machine.
traffic() {
    when=$1
    [ -r /proc/net/dev ] || return 0
    while read -r line; do
        interface=${line%%:*}
        case $line in *:*) ;; *) continue ;; esac
        case $interface in lo | docker* | veth* | br-* | virbr* | cni* | flannel*) continue ;; esac
        set -- ${line#*:}
        [ "$1$9" = 00 ] || echo "$when $interface $1 $9"
    done </proc/net/dev
}
# Mbit/s; a virtual link has none, or -1.
speeds() {
    for path in /sys/class/net/*/speed; do
        interface=${path%/speed}
        read -r speed <"$path" && echo "net_speed ${interface##*/} $speed"
    done 2>/dev/null
    return 0
}

echo "clo_ops_host_resources 1"
traffic net_before
while read -r name rest; do [ "$name" = cpu ] && echo "cpu_before $rest" && break; done </proc/stat
sleep 1
while read -r name rest; do [ "$name" = cpu ] && echo "cpu_after $rest" && break; done </proc/stat
traffic net_after
speeds
while read -r name value unit; do
    case $name in
    MemTotal:) echo "memory_total_kb $value" ;;
    MemAvailable:) echo "memory_available_kb $value" ;;
    SwapTotal:) echo "swap_total_kb $value" ;;
    SwapFree:) echo "swap_free_kb $value" ;;
    esac
done </proc/meminfo
read -r up idle </proc/uptime && echo "uptime_s $up"
read -r one five fifteen rest </proc/loadavg && echo "load $one $five $fifteen"
echo "processors $(grep -c '^processor' /proc/cpuinfo)"
number=0
for mount in "$@"; do
    # Last line of df -P: file system, kB in all, used, available, capacity, mounted on (may hold spaces).
    if line=$(limited df -Pk -- "$mount" 2>&1); then
        echo "mount $number $(echo "$line" | tail -n 1)"
    else
        echo "no_mount $number $(echo "$line" | tr '\n' ' ')"
    fi
    number=$((number + 1))
done
echo "end"
