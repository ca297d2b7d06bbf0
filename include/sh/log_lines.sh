# Hands over what was written to a log since the last look, for clo_ops.probes.log_lines. POSIX sh; reads only.
# Arguments: the live file; the name its rotated files have (a pattern of find -name, "-" for none); at most how many
# bytes; then where the last look ended: inode, offset, how many first bytes it had seen and their cksum ("-" each for a
# log looked at for the first time: it is read from its beginning, or as much of its end as may be read).
# Prints, oldest first, for each file that has something new:
#   segment <inode> <from> <bytes> <head bytes> <head cksum> <live|part|old> <how>   and after the line so many bytes
# (old: to the end of a file that nobody writes any more; part: not to its end)
# then: end <bytes left for the next look> <lost|whole>       or instead of it all: no_log <why>
LC_ALL=C
export LC_ALL
path=$1 rotated=$2 left=$3 inode=$4 offset=$5 seen=$6 sum=$7
folder=$(dirname "$path")

first() { head -c "$2" <"$1" 2>/dev/null | cksum | cut -d ' ' -f 1; }
unpacked() { gzip -dc <"$1" 2>/dev/null; }
least() { if [ "$1" -lt "$2" ]; then echo "$1"; else echo "$2"; fi; }
over=0 lost=whole

# $1 file, $2 its size, $3 from, $4 live|old, $5 how: a part of a plain file.
hand_over() {
  count=$(least $(($2 - $3)) "$left") kind=$4
  over=$((over + $2 - $3 - count)) left=$((left - count))
  [ "$count" -gt 0 ] || [ "$4" = live ] || return 0
  [ "$4" = live ] || [ $(($3 + count)) -eq "$2" ] || kind=part
  head=$(least $(($3 + count)) 256)
  echo "segment $(stat -c %i "$1") $3 $count $head $(first "$1" "$head") $kind $5"
  tail -c "+$(($3 + 1))" <"$1" | head -c "$count"
}

# $1 a compressed file, $2 from: what is behind that, unpacked.
hand_over_packed() {
  long=$(unpacked "$1" | wc -c)
  count=$(least $((long - $2)) "$left") kind=old
  over=$((over + long - $2 - count)) left=$((left - count))
  [ "$count" -gt 0 ] || return 0
  [ $(($2 + count)) -eq "$long" ] || kind=part
  head=$(least $(($2 + count)) 256)
  echo "segment $(stat -c %i "$1") $2 $count $head $(unpacked "$1" | head -c "$head" | cksum | cut -d ' ' -f 1) $kind unpacked"
  unpacked "$1" | tail -c "+$(($2 + 1))" | head -c "$count"
}

# The rotated files, oldest first by their last change: a link is none, nor is anything in a folder below.
siblings() {
  [ "$rotated" != - ] || return 0
  find "$folder/" -maxdepth 1 -type f -name "$rotated" ! -name "$(basename "$path")" -printf '%T@ %p\n' | sort -n | cut -d ' ' -f 2-
}

# Whether $1 is the file the last look ended in, moved aside, copied or compressed. An inode alone tells nothing, it is
# given to the next file; only where nothing was seen of the file there is nothing better.
is_the_old() {
  if [ "$seen" -eq 0 ]; then [ "$(stat -c %i "$1")" = "$inode" ]; return; fi
  case $1 in
    *.gz) [ "$(unpacked "$1" | head -c "$seen" | cksum | cut -d ' ' -f 1)" = "$sum" ] ;;
    *) [ "$(wc -c <"$1")" -ge "$offset" ] && [ "$(first "$1" "$seen")" = "$sum" ] ;;
  esac
}

if [ ! -e "$path" ]; then echo "no_log there is no file $path"; exit 0; fi
if [ ! -f "$path" ] || [ ! -r "$path" ]; then echo "no_log $path is no file that may be read"; exit 0; fi
now=$(stat -c %i "$path") && size=$(wc -c <"$path") || { echo "no_log $path cannot be looked at"; exit 0; }

if [ "$inode" = - ]; then
  from=$((size - left))
  [ "$from" -gt 0 ] || from=0
  hand_over "$path" "$size" "$from" live first
elif [ "$inode" = "$now" ] && [ "$size" -ge "$offset" ] && [ "$(first "$path" "$seen")" = "$sum" ]; then
  hand_over "$path" "$size" "$offset" live on
else
  found=
  set -f
  IFS='
'
  for one in $(siblings); do
    if [ -n "$found" ]; then
      case $one in
        *.gz) hand_over_packed "$one" 0 ;;
        *) hand_over "$one" "$(wc -c <"$one")" 0 old between ;;
      esac
    elif is_the_old "$one"; then
      found=$one
      case $one in
        *.gz) hand_over_packed "$one" "$offset" ;;
        *) hand_over "$one" "$(wc -c <"$one")" "$offset" old rotated ;;
      esac
    fi
  done
  [ -n "$found" ] || lost=lost
  if [ "$left" -gt 0 ]; then hand_over "$path" "$size" 0 live new; else over=$((over + size)); fi
fi
echo "end $over $lost"
