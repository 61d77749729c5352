#include "virt/vcpu.h"

const struct virt_ops *virt;
const char *virt_refusal;
uint64_t virt_no_ticks[VIRT_TICKS_BUCKETS];
