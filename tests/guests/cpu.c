/*
 * The CPU that a guest sees.
 */
#include "tests/guests/runtime/traps.h"

TEST(trap_basics)
{
    CHECK_EQUAL(TRY("ud2", OUT(), IN()), EXCEPTION_UD);
    CHECK_EQUAL(TRY("nop", OUT(), IN()), NO_TRAP);
    CHECK_EQUAL(TRY("int3", OUT(), IN()), EXCEPTION_BP);
}
