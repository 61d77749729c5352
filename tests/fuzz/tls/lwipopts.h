/* lwIP as the kernel has it, but each piece of memory by itself, so that AddressSanitizer sees it.
 */
#include "manage/net/lwip/lwipopts.h"

#include <stddef.h>
#include <sys/types.h>

void *lwip_memory(size_t size);
void *lwip_cleared_memory(size_t count, size_t size);

#define PBUF_POOL_FREE_OOSEQ 0 /* there is no TCP below */

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define mem_clib_malloc lwip_memory
#define mem_clib_calloc lwip_cleared_memory
#define mem_clib_free   free
