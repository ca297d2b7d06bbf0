# Hands over one rotated log file as it was listed, or removes it, for clo_ops.actions.retention. POSIX sh.
# Arguments: read or remove; the folder; the file's name; its inode, bytes and last change (s) as listed; for remove the
# SHA-256 it must have, "-" where it need not be told.
# Prints for read: file <bytes> and then so many bytes; for remove: gone, or gone_before; for either: not_it <why>.
LC_ALL=C
export LC_ALL
what=$1 folder=$2 name=$3 inode=$4 size=$5 changed=$6 sum=$7
not_it() { echo "not_it $1"; exit 0; }
case $name in */* | . | .. | "") not_it "$name is no name of a file in its folder" ;; esac
[ ! -L "$folder" ] && cd -P "$folder" 2>/dev/null || not_it "$folder cannot be gone into"
if [ ! -e "./$name" ] && [ ! -L "./$name" ]; then
  [ "$what" = remove ] && echo gone_before || echo "not_it $name is no longer there"
  exit 0
fi
[ -f "./$name" ] && [ ! -L "./$name" ] || not_it "$name is no plain file"
[ "$(stat -c '%i %s %Y %h' "./$name")" = "$inode $size $changed 1" ] || not_it "$name was changed since it was looked at"
if [ "$what" = read ]; then
  echo "file $size"
  exec head -c "$size" <"./$name"
fi
if [ "$sum" != - ]; then
  [ "$(sha256sum <"./$name" | cut -d ' ' -f 1)" = "$sum" ] || not_it "$name has not the SHA-256 of its copy"
fi
rm -f -- "./$name" && [ ! -e "./$name" ] || not_it "$name could not be removed"
echo gone
