"""The system tests of what the network face does to the machine: VMs and images that come and go."""

from cases import PANIC, check, described, vm


def cycles(image, cmdline, vcpus, cpus):
    """Images and VMs come, run, are disturbed and go many times over, and all memory comes back."""
    def case(context):
        box = context.boot("bochs", cpus=cpus, cmdline="net=off machine-cycles=200",
                           vms=described(context, vm("first", image, cmdline, vcpus=vcpus,
                                                     autostart=False)))
        end = box.expect(r"machine-cycles: .*(frames|failed).*\n", 300, reject=PANIC).group(0)
        check("all came back" in end, end)
    return case


def all_cases():
    yield "machine: 200 cycles on one CPU", cycles("shutdown.elf", "spin", 2, 1)
    yield "machine: 200 cycles on four CPUs", cycles("shutdown.elf", "spin", 2, 4)
