#include "virt/vcpu.h"

const struct virt_ops *virt;
