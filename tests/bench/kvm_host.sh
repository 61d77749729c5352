#!/bin/sh
# /init of the Linux that runs KVM in the bench: what it starts is in /guests.sh.
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
insmod /kvm/irqbypass.ko
insmod /kvm/kvm.ko
. /guests.sh
echo "kvm_host: end"
sleep 1 # until the serial port has sent that
/work off
