#include "guest/policy/mtrr.h"

#include <string.h>

#include "guest/memory.h"
#include "kernel/cpu/x86_defs.h"

#define TYPE_UNCACHED        0u
#define TYPE_WRITE_COMBINING 1u
#define TYPE_WRITE_THROUGH   4u
#define TYPE_WRITE_PROTECTED 5u
#define TYPE_WRITE_BACK      6u

#define CAP_FIXED           (UINT64_C(1) << 8)
#define CAP_WRITE_COMBINING (UINT64_C(1) << 10)

#define DEF_TYPE_FIXED_ENABLE (UINT64_C(1) << 10)
#define DEF_TYPE_ENABLE       (UINT64_C(1) << 11)
#define DEF_TYPE_TYPE         UINT64_C(0xff)

#define MASK_VALID   (UINT64_C(1) << 11)
#define BYTES(type)  (UINT64_C(0x0101010101010101) * (type))
#define VARIABLE_END (MSR_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE_COUNT)
#define FIXED_4K_END (MSR_MTRR_FIX4K_C0000 + 8)

/* From 0xa0000, the video memory, which FIX16K_A0000 describes: 3rd of the fixed ones. */
#define FIXED_VIDEO 2u

bool mtrr_type_valid(uint8_t type)
{
    return type == TYPE_UNCACHED || type == TYPE_WRITE_COMBINING ||
           (type >= TYPE_WRITE_THROUGH && type <= TYPE_WRITE_BACK);
}

void mtrrs_init(struct mtrrs *mtrrs, unsigned physical_bits)
{
    memset(mtrrs, 0, sizeof(*mtrrs));
    mtrrs->address_mask = ((UINT64_C(1) << physical_bits) - 1) & ~UINT64_C(0xfff);
    mtrrs->def_type = DEF_TYPE_ENABLE | DEF_TYPE_FIXED_ENABLE | TYPE_WRITE_BACK;
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        mtrrs->fixed[i] = i == FIXED_VIDEO ? BYTES(TYPE_UNCACHED) : BYTES(TYPE_WRITE_BACK);
    }
    mtrrs->base[0] = GUEST_LOW_RAM_END | TYPE_UNCACHED;
    mtrrs->mask[0] = (mtrrs->address_mask & ~(GUEST_HIGH_RAM - GUEST_LOW_RAM_END - 1)) | MASK_VALID;
}

static bool is_variable(uint32_t index)
{
    return index >= MSR_MTRR_PHYSBASE0 && index < VARIABLE_END;
}

/* The number of a fixed range's register among them, -1 if `index` is not one. */
static int fixed_number(uint32_t index)
{
    switch (index) {
    case MSR_MTRR_FIX64K_00000:
        return 0;
    case MSR_MTRR_FIX16K_80000:
        return 1;
    case MSR_MTRR_FIX16K_A0000:
        return FIXED_VIDEO;
    default:
        return index >= MSR_MTRR_FIX4K_C0000 && index < FIXED_4K_END
                   ? (int)(index - MSR_MTRR_FIX4K_C0000) + 3
                   : -1;
    }
}

bool mtrr_is(uint32_t index)
{
    return is_variable(index) || fixed_number(index) >= 0 || index == MSR_MTRR_DEF_TYPE ||
           index == MSR_MTRRCAP;
}

uint64_t mtrr_read(const struct mtrrs *mtrrs, uint32_t index)
{
    if (index == MSR_MTRRCAP) {
        return CAP_WRITE_COMBINING | CAP_FIXED | MTRR_VARIABLE_COUNT;
    }
    if (index == MSR_MTRR_DEF_TYPE) {
        return mtrrs->def_type;
    }
    if (is_variable(index)) {
        uint32_t number = (index - MSR_MTRR_PHYSBASE0) / 2;

        return index & 1 ? mtrrs->mask[number] : mtrrs->base[number];
    }
    return mtrrs->fixed[fixed_number(index)];
}

static bool write_variable(struct mtrrs *mtrrs, uint32_t index, uint64_t value)
{
    uint32_t number = (index - MSR_MTRR_PHYSBASE0) / 2;

    if (index & 1) {
        if (value & ~(mtrrs->address_mask | MASK_VALID)) {
            return false;
        }
        mtrrs->mask[number] = value;
        return true;
    }
    if ((value & ~(mtrrs->address_mask | 0xff)) || !mtrr_type_valid((uint8_t)value)) {
        return false;
    }
    mtrrs->base[number] = value;
    return true;
}

static bool write_def_type(struct mtrrs *mtrrs, uint64_t value)
{
    if ((value & ~(DEF_TYPE_ENABLE | DEF_TYPE_FIXED_ENABLE | DEF_TYPE_TYPE)) ||
        !mtrr_type_valid((uint8_t)value)) {
        return false;
    }
    mtrrs->def_type = value;
    return true;
}

bool mtrr_write(struct mtrrs *mtrrs, uint32_t index, uint64_t value)
{
    if (index == MSR_MTRRCAP) {
        return false;
    }
    if (index == MSR_MTRR_DEF_TYPE) {
        return write_def_type(mtrrs, value);
    }
    if (is_variable(index)) {
        return write_variable(mtrrs, index, value);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!mtrr_type_valid((uint8_t)(value >> (8 * i)))) {
            return false;
        }
    }
    mtrrs->fixed[fixed_number(index)] = value;
    return true;
}
