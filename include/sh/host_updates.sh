# What a host's package manager has pending, in lines of "word values...", for clo_ops.probes.host_updates. POSIX sh;
# reads only, installs nothing, refreshes no list. The last line is "end": without it the answer is not whole.
LC_ALL=C
export LC_ALL
root=${DPKG_ROOT:-}

newest() { stat -c %Y -- "$@" 2>/dev/null | sort -n | tail -n 1; }
age() { [ -n "$1" ] && echo "lists_age $(($(date +%s) - $1))" || echo "lists_age unknown"; }

reboot() {
    for flag in "$root/var/run/reboot-required" "$root/run/reboot-required"; do
        if [ -e "$flag" ]; then
            echo "reboot yes $flag $(sort -u "$flag.pkgs" 2>/dev/null | head -n 5 | tr '\n' ' ')"
            return
        fi
    done
    kernel=$(ls "$root"/boot/vmlinuz-* 2>/dev/null | grep -v rescue | sed 's/.*vmlinuz-//' | sort -V | tail -n 1)
    running=$(uname -r)
    if [ -n "$kernel" ] && [ "$kernel" != "$running" ] && ls "$root/boot/vmlinuz-$running" >/dev/null 2>&1; then
        echo "reboot yes kernel $kernel is installed, $running runs"
    else
        echo "reboot no"
    fi
}

with_apt() {
    echo "manager apt"
    eval "$(apt-config shell lists Dir::State::lists/d)"
    age "$(newest "$lists" "$lists/partial" "$root/var/lib/apt/periodic/update-success-stamp")"
    if ! plan=$(apt-get -s -q -o Debug::NoLocking=true dist-upgrade 2>&1); then
        echo "$plan" | grep '^E:' | head -n 3 >&2
        exit 4
    fi
    # Inst name [installed] (candidate origin:version/suite, ... [architecture]); a new package has no [installed].
    echo "$plan" | awk '
        /^Inst / {
            paren = index($0, "(")
            old = "-"
            if (match($0, /\[[^]]*\]/) && RSTART < paren) old = substr($0, RSTART + 1, RLENGTH - 2)
            inner = substr($0, paren + 1)
            split(inner, word, " ")
            print "update", $2, old, word[1], (inner ~ /[Ss]ecurity/) ? "security" : "other"
        }
        /^Remv / { print "remove", $2 }'
    apt-mark showhold 2>/dev/null | sed 's/^/held /'
    dpkg --audit 2>/dev/null | sed -n 's/^ \([a-z0-9][a-z0-9+.-]*\) .*/broken \1/p'
}

with_dnf() {
    echo "manager dnf"
    age "$(newest /var/cache/dnf/*.solv /var/cache/dnf/last_makecache /var/cache/libdnf5 2>/dev/null)"
    pending=$(dnf -q -C check-update 2>/dev/null)
    code=$?
    [ $code = 0 ] || [ $code = 100 ] || { echo "dnf check-update ended with $code" >&2; exit 4; }
    security=$(dnf -q -C updateinfo list --security 2>/dev/null | awk '{ print $NF }')
    echo "$pending" | while read -r name version repository rest; do
        case $name in Obsoleting) break ;; *.*) [ -n "$repository" ] || continue ;; *) continue ;; esac
        bare=${name%.*}
        kind=other
        for one in $security; do [ "$one" = "$bare-${version#*:}.${name##*.}" ] && kind=security; done
        echo "update $bare $(rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$bare" 2>/dev/null | tail -n 1) $version $kind"
    done
}

echo "clo_ops_host_updates 1"
if command -v apt-get >/dev/null 2>&1; then
    with_apt
    reboot
elif command -v dnf >/dev/null 2>&1; then
    with_dnf
    if command -v needs-restarting >/dev/null 2>&1; then
        if needs-restarting -r >/dev/null 2>&1; then echo "reboot no"; else echo "reboot yes needs-restarting says so"; fi
    else
        echo "reboot unknown needs-restarting is not there"
    fi
else
    echo "manager none"
fi
echo "end"
