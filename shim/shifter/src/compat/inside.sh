# What a container is like, in lines "NAME<tab>VALUE", by what every shell has built in.
tell() { printf '%s\t%s\n' "$1" "$2"; }
while read -r name value rest; do
    case $name in
    Cap*: | NoNewPrivs: | Seccomp: | Uid: | Gid:) tell "${name%:}" "$value${rest:+ $rest}" ;;
    esac
done </proc/self/status
if [ -L /etc/mtab ]; then
    target=$(readlink /etc/mtab 2>/dev/null) || target=
    [ -n "$target" ] || { [ /etc/mtab -ef /proc/mounts ] && target=/proc/mounts; }
    tell mtab "$target"
fi
while IFS= read -r line || [ -n "$line" ]; do tell passwd "$line"; done </etc/passwd
IFS= read -r line </var/shifterConfig.json || :
tell record "$line"
[ -d /var/tmp ] && tell /var/tmp directory
[ -d /opt/udiImage ] && tell /opt/udiImage directory
[ -f /etc/shadow ] && [ ! -s /etc/shadow ] && tell /etc/shadow empty
tell image "$SHIFTER_IMAGE"
tell request "$SHIFTER_IMAGEREQUEST"
tell callers "$SHIFTER_COMPAT"
tell directory "$(pwd)"
tell umask "$(umask)"
IFS= read -r line </proc/sys/kernel/hostname && tell hostname "$line"
while read -r _ _ _ _ place options _; do
    case ,$options, in
    *,nosuid,*) ;;
    *) tell setuid "$place" ;;
    esac
done </proc/self/mountinfo
tell end ""
