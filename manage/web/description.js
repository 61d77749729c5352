// A machine's description (docs/vms.md), from what the form has.

export const EMPTY = {
  name: '', memory: '256M', vcpus: '1', kind: 'linux', kernel: '', initrd: '', image: '',
  cmdline: 'console=ttyS0,115200', modules: [], weight: '', cap: '', cpus: '',
};

/** What is empty in the form is left out: the kernel has its own defaults. */
export function description(form) {
  const sched = {};
  if (form.weight !== '') sched.weight = Number(form.weight);
  if (form.cap !== '') sched.cap = Number(form.cap);
  if (form.cpus !== '') sched.cpus = form.cpus;
  const machine = { name: form.name, memory: form.memory.replace(/ /g, '').toUpperCase(), vcpus: Number(form.vcpus), autostart: false };
  if (/^\d+$/.test(machine.memory)) machine.memory = Number(machine.memory);
  if (Object.keys(sched).length > 0) machine.sched = sched;
  if (form.kind === 'linux') {
    machine.linux = { kernel: form.kernel };
    if (form.initrd) machine.linux.initrd = form.initrd;
    machine.linux.cmdline = form.cmdline;
  } else {
    machine.multiboot = { image: form.image, cmdline: form.cmdline };
    const modules = form.modules.filter((module) => module.name);
    if (modules.length > 0) {
      machine.multiboot.modules = modules.map(({ name, cmdline }) => (cmdline ? { name, cmdline } : name));
    }
  }
  return machine;
}
