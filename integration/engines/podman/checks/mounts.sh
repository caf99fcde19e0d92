# Volumes, temporary file systems and what they may do.
# shellcheck shell=bash

check_a_volume_is_written_on_both_sides() {
    mkdir -p "$place/volume"
    echo outside >"$place/volume/in"
    podman run --rm --volume "$place/volume:/data" "$IMAGE" sh -c 'cat /data/in; echo inside >/data/out'
    gives 0
    prints_only outside
    [ "$(cat "$place/volume/out")" = inside ] || no 'nothing arrived outside'
}

check_a_read_only_volume_cant_be_written() {
    mkdir -p "$place/volume"
    podman run --rm --volume "$place/volume:/data:ro" "$IMAGE" touch /data/made
    gives 1
    complains 'Read-only file system'
}

check_options_of_a_volume_hold() {
    mkdir -p "$place/volume"
    podman run --rm --volume "$place/volume:/data:noexec,nosuid,nodev" "$IMAGE" grep ' /data ' /proc/self/mountinfo
    gives 0
    prints_like 'nosuid.*nodev.*noexec'
    cp "$place/rootfs/bin/busybox" "$place/volume/true"
    podman run --rm --volume "$place/volume:/data:noexec" "$IMAGE" /data/true
    gives 126
}

check_propagation_of_a_volume() {
    mkdir -p "$place/volume"
    podman run --rm --volume "$place/volume:/data" "$IMAGE" grep ' /data ' /proc/self/mountinfo
    never_prints master:
    never_prints shared:
    podman run --rm --volume "$place/volume:/data:rslave" "$IMAGE" grep ' /data ' /proc/self/mountinfo
    gives 0
    prints master:
    podman run --rm --volume "$place/volume:/data:rshared" "$IMAGE" grep ' /data ' /proc/self/mountinfo
    gives 0
    prints shared:
}

check_a_slave_volume_shows_later_mounts() {
    mkdir -p "$place/volume/later"
    podman run --detach --name one --volume "$place/volume:/data:rslave" "$IMAGE" sleep 1000
    mount -t tmpfs tmpfs "$place/volume/later"
    touch "$place/volume/later/seen"
    podman exec one ls /data/later
    umount "$place/volume/later"
    gives 0
    prints_only seen
}

check_mounts_below_a_volume_come_along() {
    mkdir -p "$place/volume/below"
    mount -t tmpfs tmpfs "$place/volume/below"
    touch "$place/volume/below/seen"
    podman run --rm --volume "$place/volume:/data" "$IMAGE" ls /data/below
    prints_only seen
    podman run --rm --volume "$place/volume:/data:bind" "$IMAGE" ls /data/below
    umount "$place/volume/below"
    prints_only ''
}

check_a_file_as_a_volume() {
    echo content >"$place/file"
    podman run --rm --volume "$place/file:/etc/settings" "$IMAGE" cat /etc/settings
    gives 0
    prints_only content
}

check_the_hosts_devices_as_a_volume() {
    podman run --rm --volume /dev:/dev "$IMAGE" sh -c 'echo >/dev/null; stat -c %d:%i /dev/null'
    gives 0
    prints_only "$(stat -c %d:%i /dev/null)"
    [ ! -e /dev/.bound ] || no 'something is left in /dev'
}

check_a_volume_that_is_not_there_is_refused() {
    podman run --rm --volume "$place/nowhere:/data" "$IMAGE" true
    gives 125
    complains 'no such file or directory'
}

check_a_volume_whose_owner_is_changed() {
    mkdir -p "$place/volume"
    chown 0:0 "$place/volume"
    podman run --rm --user worker --volume "$place/volume:/data:U" "$IMAGE" touch /data/made
    gives 0
    [ "$(stat -c %u "$place/volume/made")" = 1000 ] || no 'not made by the user'
    rm "$place/volume/made"
}

check_a_named_volume_takes_over_what_the_image_has() {
    podman run --rm --volume copied:/home "$IMAGE" stat -c %u /home/worker
    gives 0
    prints_only 1000
}

check_a_temporary_file_system() {
    podman run --rm --tmpfs /scratch:size=2m,mode=1750 "$IMAGE" \
        sh -c 'stat -c "%a %n" /scratch; df -k /scratch | tail -n 1; grep " /scratch " /proc/self/mountinfo'
    gives 0
    prints '1750 /scratch'
    prints ' 2048 '
    prints_like 'nosuid.*nodev'
}

check_a_temporary_file_system_takes_over_what_the_image_has() {
    podman run --rm --tmpfs /etc:rw "$IMAGE" grep worker /etc/passwd
    gives 0
    podman run --rm --mount type=tmpfs,destination=/etc,notmpcopyup "$IMAGE" ls /etc
    never_prints passwd
}

check_an_image_as_a_mount() {
    podman run --rm --mount "type=image,source=$IMAGE,destination=/other" "$IMAGE" ls /other/bin/busybox
    gives 0
}

check_the_destination_may_lead_through_links_inside() {
    mkdir -p "$place/volume" "$place/linked/target"
    ln -sfn /linked/target "$place/linked/link"
    podman run --rm --volume "$place/linked:/linked" --volume "$place/volume:/linked/link" "$IMAGE" \
        grep -c ' /linked/target ' /proc/self/mountinfo
    gives 0
    prints_only 1
}

check_a_root_file_system_from_a_directory() {
    podman run --rm --rootfs "$place/rootfs" cat /etc/passwd
    gives 0
    prints worker
}

check_a_root_file_system_with_an_overlay() {
    podman run --rm --rootfs "$place/rootfs:O" sh -c 'touch /made && echo made'
    gives 0
    prints_only made
    [ ! -e "$place/rootfs/made" ] || no 'the directory itself was written'
}

check_secrets() {
    command podman secret create password - <<<"s3cret" >/dev/null
    podman run --rm --secret password "$IMAGE" cat /run/secrets/password
    command podman secret rm password >/dev/null
    gives 0
    prints_only s3cret
}
