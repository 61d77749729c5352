#ifndef TESTS_UNIT_LOADER_BLOCK_SOURCE_H
#define TESTS_UNIT_LOADER_BLOCK_SOURCE_H

#include "guest/memory.h"

/* Guest memory blocks from the host's heap. */
extern const struct block_source test_blocks;
/* Blocks handed out now. */
extern unsigned test_blocks_used;
/* How many more the source gives before it runs dry. */
extern unsigned test_blocks_left;

#endif
