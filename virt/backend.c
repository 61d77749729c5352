#include "virt/vcpu.h"

const struct virt_ops *virt;
const char *virt_refusal;
