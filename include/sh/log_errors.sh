# Counts the error lines written to log files since the last look, for clo_ops.probes.log_errors. POSIX sh; reads only.
# Arguments: at most how many bytes to read of each file, then for each of them its path, the pattern (grep -E), the
# inode and the offset where the last look ended, and how many first bytes it had seen of it and their cksum ("-" each
# for a file looked at for the first time: where it ends is where reading begins; inode "new": not there at the last
# look, so all of it is read).
# Prints for each file:  log <number> <inode> <offset> <head bytes> <head cksum> <errors> <bytes left> <how it went on>
# or:                    no_log <number> <why>
LC_ALL=C
export LC_ALL
most=$1
shift

head_of() { head -c "$2" <"$1" 2>/dev/null | cksum | cut -d ' ' -f 1; }

# $1 file, $2 from, $3 bytes: sets took and errors. Only whole lines are counted, the rest is for the next look.
count() {
  lines=$(tail -c "+$(($2 + 1))" <"$1" | head -c "$3" | wc -l)
  if [ "$lines" -eq 0 ] && [ "$3" -lt "$most" ]; then
    took=0 errors=0
    return 0
  fi
  # A line longer than all that may be read is taken in pieces.
  [ "$lines" -gt 0 ] || lines=1
  took=$(tail -c "+$(($2 + 1))" <"$1" | head -c "$3" | head -n "$lines" | wc -c)
  errors=$(tail -c "+$(($2 + 1))" <"$1" | head -c "$3" | head -n "$lines" | grep -c -E -e "$pattern")
  # 1 is "none of them"; anything above is a pattern that cannot be used.
  [ $? -le 1 ]
}

least() { if [ "$1" -lt "$2" ]; then echo "$1"; else echo "$2"; fi; }

# What was written to the file before it was moved aside, found by its inode beside the new one.
rest_of_the_old() {
  old=$(find "$(dirname "$path")" -maxdepth 1 -type f -inum "$inode" 2>/dev/null | head -n 1)
  [ -n "$old" ] && [ -r "$old" ] || return 1
  size=$(wc -c <"$old") || return 1
  [ "$size" -ge "$offset" ] && [ "$(head_of "$old" "$seen")" = "$sum" ] || return 1
  count "$old" "$offset" "$(least $((size - offset)) "$most")"
}

look() {
  path=$1 pattern=$2 inode=$3 offset=$4 seen=$5 sum=$6
  if [ ! -e "$path" ]; then echo "no_log $number there is no file $path"; return; fi
  if [ ! -f "$path" ] || [ ! -r "$path" ]; then echo "no_log $number $path is no file that may be read"; return; fi
  now=$(stat -c %i "$path") && size=$(wc -c <"$path") || { echo "no_log $number $path cannot be looked at"; return; }
  went=on before=0
  case $inode in
    -) went=first offset=$size ;;
    new) went=new offset=0 ;;
    "$now")
      if [ "$size" -lt "$offset" ] || [ "$(head_of "$path" "$seen")" != "$sum" ]; then went=truncated offset=0; fi ;;
    *)
      if rest_of_the_old; then went=rotated before=$errors; else went=replaced; fi
      offset=0 ;;
  esac
  if ! count "$path" "$offset" "$(least $((size - offset)) "$most")"; then
    echo "no_log $number the pattern cannot be used by grep -E"
    return
  fi
  offset=$((offset + took)) seen=$(least "$((offset))" 256)
  echo "log $number $now $offset $seen $(head_of "$path" "$seen") $((before + errors)) $((size - offset)) $went"
}

number=0
while [ $# -ge 6 ]; do
  look "$1" "$2" "$3" "$4" "$5" "$6"
  number=$((number + 1))
  shift 6
done
echo end
