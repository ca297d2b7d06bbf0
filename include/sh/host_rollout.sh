# Carry out one verb on a host's packages, for clo_ops.actions.updates.hosts. POSIX sh; changes the host.
# Arguments: the verb, the directory of the way back, then packages.
#   versions - name...             what is installed: "have name version state"
#   keep DIR name=version...       keeps these packages, so that they can be put back: "kept file"
#   install DIR name=version...    exactly these; never removes one; configuration files of the site stay
#   back DIR name=version... -- name...   puts back what is kept, then removes what was new
# apt's own words go to DIR/apt.log, so that it ends what it began even where the session is lost. Last line: "end".
LC_ALL=C DEBIAN_FRONTEND=noninteractive
export LC_ALL DEBIAN_FRONTEND
verb=$1 dir=$2
shift 2
if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n --preserve-env=DEBIAN_FRONTEND,LC_ALL"; fi
log="$dir/apt.log"
# In a session of its own apt ends what it began, whoever ends us.
own=$(command -v setsid >/dev/null 2>&1 && echo "setsid -w")

fail() { echo "$1" >&2; [ -r "$log" ] && tail -n 8 "$log" >&2; exit 5; }

apt() {
    $own $sudo sh -c 'log=$1; shift; echo "## $*" >>"$log"; exec "$@" >>"$log" 2>&1 </dev/null' sh "$log" \
        apt-get -y -q -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# Debian writes : of a version as %3a in a file's name; another architecture's package is named name:architecture.
file_of() {
    name=${1%%=*}
    case $name in *:*) architecture=${name#*:} ;; *) architecture="*" ;; esac
    echo "$dir/${name%%:*}_$(echo "${1#*=}" | sed 's/:/%3a/g')_$architecture.deb"
}

case $verb in
versions)
    native=$(dpkg --print-architecture)
    dpkg-query -W -f 'have ${Package}:${Architecture} ${Version} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -e "s/:$native / /" -e 's/:all / /'
    ;;
keep)
    $sudo mkdir -p -m 0700 "$dir" || fail "cannot make $dir"
    for one in "$@"; do
        $sudo sh -c 'ls '"$(file_of "$one")"' >/dev/null 2>&1' && { echo "kept $one"; continue; }
        $sudo sh -c 'cd "$1" && exec apt-get -q -o APT::Sandbox::User=root download "$2" >>"$1/apt.log" 2>&1 </dev/null' \
            sh "$dir" "$one" || fail "$one cannot be had any more"
        $sudo sh -c 'ls '"$(file_of "$one")"' >/dev/null 2>&1' || fail "$one was not kept in $dir"
        echo "kept $one"
    done
    ;;
install)
    $sudo mkdir -p -m 0700 "$dir" || fail "cannot make $dir"
    apt --no-remove install "$@" || fail "apt-get install ended with $?"
    ;;
back)
    files= new=
    while [ $# -gt 0 ]; do
        [ "$1" = -- ] && { shift; new="$*"; break; }
        files="$files $(file_of "$1")"
        shift
    done
    $sudo dpkg --force-confdef --force-confold --configure -a >/dev/null 2>&1
    if [ -n "$files" ]; then apt --allow-downgrades install $files || fail "apt-get install of the old packages ended with $?"; fi
    if [ -n "$new" ]; then apt remove $new || fail "apt-get remove of what was new ended with $?"; fi
    ;;
*)
    echo "no verb $verb" >&2
    exit 2
    ;;
esac
echo "end"
