#!/bin/busybox sh
# Process 1 of a lab guest. The kernel command line says what it does:
#   lab.address=10.99.0.10/24   the address it answers pings on
#   lab.tick=200                a sequence number to disk and serial port every so many milliseconds
#   lab.dirty=64                rewrite so many MiB of memory in a loop
#   lab.dirty_rate=20           … at about so many MiB a second (0: as fast as it can)
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
while read -r module; do insmod "/modules/$module.ko"; done </modules/order

parameter() { # NAME DEFAULT
    value=$(sed -n "s/.*\blab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline)
    echo "${value:-$2}"
}
address=$(parameter address "")
tick_ms=$(parameter tick 200)
dirty_mib=$(parameter dirty 0)
dirty_rate=$(parameter dirty_rate 0)

ip link set lo up
if [ -n "$address" ] && [ -e /sys/class/net/eth0 ]; then
    ip address add "$address" dev eth0
    ip link set eth0 up
fi

# The power button: `virsh shutdown` reaches a guest by it.
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\nsync\necho "powering off"\npoweroff -f\n' >/etc/acpi/PWRF/00000080
chmod 755 /etc/acpi/PWRF/00000080
acpid -d >/dev/null 2>&1 &

dirty_memory() {
    mount -t tmpfs -o "size=$((dirty_mib + 8))m" tmpfs /work
    # Two different blocks, none of them zeros: QEMU sends pages of zeros for nothing.
    dd if=/dev/urandom of=/work/even bs=1M count=1 2>/dev/null
    dd if=/dev/urandom of=/work/odd bs=1M count=1 2>/dev/null
    pause_us=0
    [ "$dirty_rate" -gt 0 ] && pause_us=$((1000000 / dirty_rate))
    while :; do
        for block in even odd; do
            i=0
            while [ $i -lt "$dirty_mib" ]; do
                dd if=/work/$block of=/work/area bs=1M seek=$i conv=notrunc 2>/dev/null
                [ $pause_us -gt 0 ] && usleep $pause_us
                i=$((i + 1))
            done
        done
    done
}
mkdir -p /work
[ "$dirty_mib" -gt 0 ] && dirty_memory &

# The last 1000 numbers stand on the disk, number n in sector n modulo 1000; a guest that starts again goes on counting.
number=0
if [ -e /dev/vda ]; then
    number=$(dd if=/dev/vda bs=512 count=1000 2>/dev/null | tr -d '\000' | sort -n | tail -n 1)
    number=$((${number:-0}))
fi
echo "guest ready"
while :; do
    number=$((number + 1))
    if [ -e /dev/vda ]; then
        echo $number | dd of=/dev/vda bs=512 seek=$((number % 1000)) conv=notrunc,sync,fsync 2>/dev/null \
            || echo "disk error at $number"
    fi
    echo "seq $number."
    usleep $((tick_ms * 1000))
done
