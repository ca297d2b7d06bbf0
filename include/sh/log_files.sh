# Lists the rotated files of a log, for clo_ops.probes.log_files. POSIX sh; reads only.
# Arguments: the live file; what its rotated files are called (a pattern of find -name).
# Prints for each: file <inode> <bytes> <last change, s> <name>     then: end
# or: no_files <why>.   A link, a file with a second name, and whatever lies in a folder below is none of them.
LC_ALL=C
export LC_ALL
folder=$(dirname "$1") live=$(basename "$1")
if [ -L "$folder" ]; then echo "no_files $folder is a link: name the folder itself"; exit 0; fi
if [ ! -d "$folder" ]; then echo "no_files there is no folder $folder"; exit 0; fi
if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then echo "no_files $folder may not be read"; exit 0; fi
find -P "$folder" -maxdepth 1 -mindepth 1 -type f -links 1 -name "$2" ! -name "$live" ! -name '*
*' -printf 'file %i %s %T@ %f\n'
echo end
